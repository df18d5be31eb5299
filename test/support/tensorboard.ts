import path from 'node:path'
import { z } from 'zod'
import { ROOT } from '../../shared/kit/project.ts'
import { runPython, withoutPython } from './python.ts'

const READ = path.join(ROOT, 'test/support/read_tensorboard.py')

const number = z.union([z.number(), z.enum(['nan', 'inf', '-inf'])])
const foundSchema = z.object({
  /** Scalars by tag: pairs of step and value. */
  scalars: z.record(z.string(), z.array(z.tuple([z.number(), number]))),
  /** Images by tag: step, width, height, and the file in hexadecimal. */
  images: z.record(z.string(), z.array(z.tuple([z.number(), z.number(), z.number(), z.string()]))),
  /** Content of the web page by tag: the plugin that shows it, and the steps. */
  page: z.record(z.string(), z.tuple([z.string(), z.array(z.number())])),
})

/** Reason why tests of TensorBoard are skipped here; false if they are not. */
export const withoutTensorBoard = withoutPython('tensorboard')

/** Reads a folder with TensorBoard itself. */
export async function readByTensorBoard(folder: string): Promise<z.infer<typeof foundSchema>> {
  return foundSchema.parse(JSON.parse(await runPython('tensorboard', [READ, folder])))
}
