import { z } from 'zod'
import { type Dataset, type Sample } from './dataset.ts'
import { MAX_FILE_BYTES } from './sources/inspect.ts'
import { pathProblem } from './sources/paths.ts'

/** Description of a data set for a worker that does not have the images. It comes over the wire, so nothing in it is trusted. */
export interface Manifest {
  classes: string[]
  samples: Sample[]
  digest: string
}

const MAX_CLASSES = 100_000
const MAX_SAMPLES = 100_000_000

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha256 in lower-case hexadecimal')

const safePath = z.string().superRefine((path, context) => {
  const problem = pathProblem(path)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
})

const sample = z.strictObject({
  path: safePath,
  class: z.int().min(0),
  sha256,
  bytes: z.int().min(1).max(MAX_FILE_BYTES),
  split: z.enum(['train', 'test']),
})

/** Schema of a manifest: paths stay below a root, class indices are in range, and samples are sorted by path, which gives them their ids. */
export const manifestSchema: z.ZodType<Manifest> = z
  .strictObject({
    classes: z.array(safePath.refine((name) => !name.includes('/'), "must not contain '/'")).min(2).max(MAX_CLASSES),
    samples: z.array(sample).min(2).max(MAX_SAMPLES),
    digest: sha256,
  })
  .superRefine(({ classes, samples }, context) => {
    const repeated = firstNotAscending(classes)
    if (repeated >= 0) context.addIssue({ code: 'custom', path: ['classes', repeated], message: 'must follow the one before in code-unit order' })
    const disordered = firstNotAscending(samples.map(({ path }) => path))
    if (disordered >= 0) context.addIssue({ code: 'custom', path: ['samples', disordered, 'path'], message: 'must follow the one before in code-unit order' })
    const outside = samples.findIndex((one) => one.class >= classes.length)
    if (outside >= 0) context.addIssue({ code: 'custom', path: ['samples', outside, 'class'], message: `must be below ${classes.length}, the number of classes` })
  })

/** Returns the index of the first name that does not come after the one before it, in code-unit order; -1 if there is none. */
function firstNotAscending(names: readonly string[]): number {
  return names.findIndex((name, i) => i > 0 && !(names[i - 1] < name))
}

export function manifestOf({ classes, samples, digest }: Dataset): Manifest {
  return { classes, samples, digest }
}
