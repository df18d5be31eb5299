import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { ROOT } from '../../shared/kit/project.ts'

const INSTALL = path.join(ROOT, '.ci/install-tensorboard')
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

/** Reason why tests of TensorBoard are skipped here; false if they are not. On continuous integration (CI=true) they run even without it, and fail. */
export const withoutTensorBoard = python() !== undefined || process.env['CI'] === 'true' ? false : 'tensorboard is not installed for the tests: .ci/install-tensorboard does it'

/** Reads a folder with TensorBoard itself. */
export async function readByTensorBoard(folder: string): Promise<z.infer<typeof foundSchema>> {
  const program = python()
  assert.ok(program !== undefined, 'tensorboard is not installed for the tests: .ci/install-tensorboard does it')
  const { stdout } = await promisify(execFile)(program, [READ, folder], { maxBuffer: 64 * 1024 * 1024 })
  return foundSchema.parse(JSON.parse(stdout))
}

function python(): string | undefined {
  try {
    return execFileSync('bash', [INSTALL, '--no-install'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
