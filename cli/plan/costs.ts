import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { messageOf, UsageError } from '../../shared/kit/errors.ts'
import { machineSchema } from '../../shared/kit/machine.ts'
import { ROOT } from '../../shared/kit/project.ts'

const seconds = z.number().min(0)

/** Seconds that a process works in a step besides computing gradients: a sum of parts that grow with different quantities. */
const workSchema = z.object({
  /** Seconds in any step, whatever its size. */
  step: seconds,
  /** Seconds for each worker that the process serves, however much is sent. */
  peer: seconds,
  /** Seconds for each byte of the vector (float32), once a step. */
  byte: seconds,
  /** Seconds for each byte of each partial sum that the process sends or receives. */
  partialByte: seconds,
  /** Seconds for each byte of the vector and each worker to which the process sends weights. */
  peerByte: seconds,
})
export type Work = z.infer<typeof workSchema>

const processSchema = z.object({
  /** Work of the thread that runs JavaScript: more cores do not make it shorter. */
  thread: workSchema,
  /** Work of all threads, garbage collection included: the processor time taken from shared cores. */
  processor: workSchema,
})

/** Costs of the parts of a step, measured on one machine: the parameters of the speed model. */
export const costsSchema = z.object({
  /** Computation of a worker's gradients, with one thread. */
  compute: z.object({
    /** Seconds to hand the weights to the engine and to take the gradient back, once a step. */
    step: seconds,
    /** Seconds for each lane, however small. */
    lane: seconds,
    /** Seconds for each image. */
    image: z.number().positive(),
    /** Floating-point operations of such an image's gradient; the time of other images is proportional to theirs. */
    flopsPerImage: z.number().positive(),
    /** Factor by which computation takes longer when every core of the machine computes. */
    crowded: z.number().min(1),
  }),
  /** Seconds of a worker's thread to transform a decoded image, for each pixel of the result. */
  inputPixel: seconds,
  coordinator: processSchema,
  worker: processSchema,
  /** Share of a thread's work in an exchange that does not overlap with the longest stage, and so adds to it. */
  unhidden: z.number().min(0).max(1),
})
export type Costs = z.infer<typeof costsSchema>

/** A file of measured costs, as `npm run bench -- --plan FILE` writes it. */
export const measuredSchema = z.object({
  time: z.iso.datetime(),
  machine: machineSchema,
  about: z.string(),
  costs: costsSchema,
  /** Differences between the measurements and what the fitted costs predict. */
  residuals: z.array(z.object({
    what: z.string(),
    measurements: z.int(),
    /** Median of the absolute relative differences. */
    median: z.number(),
    /** Largest of the absolute relative differences. */
    most: z.number(),
  })),
})
export type Measured = z.infer<typeof measuredSchema>

/** File of the costs measured on the machine that Herd is developed on. */
export const SHIPPED_MEASURED = path.join(ROOT, 'cli/plan/measured.json')

/** Reads a file of measured costs. @throws UsageError if the file cannot be read or holds something else. */
export async function readMeasured(file: string): Promise<Measured> {
  let content: unknown
  try {
    content = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`--measured ${file} cannot be read as JSON: ${messageOf(error)}`)
  }
  const parsed = measuredSchema.safeParse(content)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new UsageError(`--measured ${file}: ${issue.path.join('.') || 'the whole'}: ${issue.message}; expected what \`npm run bench -- --plan FILE\` writes.`)
}
