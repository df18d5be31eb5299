import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { messageOf, UsageError } from '../../shared/kit/errors.ts'
import { machineSchema } from '../../shared/kit/machine.ts'
import { ROOT } from '../../shared/kit/project.ts'

const seconds = z.number().min(0)

/** What a process does in a step beside computing gradients, in seconds: a sum of parts that grow with what it has to do. */
const workSchema = z.object({
  /** In any step. */
  step: seconds,
  /** For each worker that the process serves, whatever is sent. */
  peer: seconds,
  /** For each byte of the vector (float32), once. */
  byte: seconds,
  /** For each byte of each partial, which it sends or receives. */
  partialByte: seconds,
  /** For each byte of the vector and each worker that it sends weights to. */
  peerByte: seconds,
})
export type Work = z.infer<typeof workSchema>

const processSchema = z.object({
  /** Of the thread that runs JavaScript: no number of cores makes it shorter. */
  thread: workSchema,
  /** Of all threads, garbage collection's too: what it takes from cores that are shared. */
  processor: workSchema,
})

/** What a step is made of, as it was measured on one machine: what the model computes with. */
export const costsSchema = z.object({
  /** A worker's gradients, one thread. */
  compute: z.object({
    /** Weights to the engine, and the gradient back. */
    step: seconds,
    /** For each lane, however small. */
    lane: seconds,
    image: z.number().positive(),
    /** Floating-point operations of that image: others take as much longer as they have more. */
    flopsPerImage: z.number().positive(),
    /** How much longer all of it takes when each core of the machine computes. */
    crowded: z.number().min(1),
  }),
  /** A worker's thread, to transform a decoded image, by the pixels of the result. */
  inputPixel: seconds,
  coordinator: processSchema,
  worker: processSchema,
  /** What does not overlap: the share of the processes' shorter parts of an exchange that adds to the longest one. */
  unhidden: z.number().min(0).max(1),
})
export type Costs = z.infer<typeof costsSchema>

/** A file of measured costs, as `npm run bench -- --plan FILE` writes it. */
export const measuredSchema = z.object({
  time: z.iso.datetime(),
  machine: machineSchema,
  about: z.string(),
  costs: costsSchema,
  /** How far what was measured lies from what the fitted costs make of it. */
  residuals: z.array(z.object({
    what: z.string(),
    measurements: z.int(),
    /** Of the relative differences' amounts. */
    median: z.number(),
    most: z.number(),
  })),
})
export type Measured = z.infer<typeof measuredSchema>

/** What was measured on the machine that Herd is developed on. */
export const SHIPPED_MEASURED = path.join(ROOT, 'cli/plan/measured.json')

/** @throws UsageError where the file is not there, or is none of measured costs. */
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
