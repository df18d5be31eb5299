import { z } from 'zod'
import { networkSchema, type Network } from '../model/network.ts'

/** Raised whenever an older Herd could not read the file rightly any more. 2: steps can have been left out. 3: the optimizer can be any. */
export const FORMAT_VERSION = 3

/** Keys of the file's `__metadata__`. */
export const DESCRIPTION_KEY = 'herd'
export const CHECKSUM_KEY = 'sha256'

/** Names of a checkpoint's vectors, in the order of their bytes; each holds one tensor per parameter of the layout. */
export function vectorNames({ name, moments }: CheckpointOptimizer): string[] {
  return ['parameters', ...moments.map((moment) => `${name}.${moment}`)]
}

const word = z.string().regex(/^\w{1,64}$/)
const optimizerSchema = z.object({ name: word, moments: z.array(word).max(16) })
/** What the moments of a checkpoint are. */
export type CheckpointOptimizer = z.infer<typeof optimizerSchema>

/** The optimizer of every file before format 3, none of which names it. */
const ONLY_OPTIMIZER: CheckpointOptimizer = { name: 'adam', moments: ['m', 'v'] }

const count = z.int().min(0)
/** JSON has no NaN; a diverged run has. It is null in the file. */
const sum = z.number().nullable().transform((value) => value ?? NaN)

const positionSchema = z.object({
  /** The epoch in progress or just ended, counted from 1. */
  epoch: z.int().min(1),
  /** Steps done in all, and in this epoch. */
  step: count,
  stepInEpoch: count,
  /** How many of them were left out, so that the optimizer did not count them; format 1 has none. */
  skippedSteps: count.default(0),
  epochSkippedSteps: count.default(0),
  /** Sums over the epoch's images so far. */
  epochLossSum: sum,
  epochCorrect: count,
  epochImages: count,
  epochSeconds: z.number().min(0),
  /** Images trained on, and seconds spent, since the run began. */
  images: count,
  seconds: z.number().min(0),
})
export type CheckpointPosition = z.infer<typeof positionSchema>

/** What the file says in JSON beside its tensors. */
export const descriptionSchema = z.object({
  formatVersion: z.int().min(1).max(FORMAT_VERSION),
  network: networkSchema,
  classes: z.array(z.string()).min(2),
  /** The run's options, for whoever resumes it. */
  config: z.record(z.string(), z.unknown()),
  position: positionSchema,
  optimizer: optimizerSchema.default(ONLY_OPTIMIZER),
  datasetDigest: z.string(),
  /** Of the parameters: sha256 in hexadecimal. */
  digest: z.string(),
})
export type CheckpointDescription = z.infer<typeof descriptionSchema>

/** Everything that resuming needs. The vectors have the size of the network's layout. */
export interface Checkpoint {
  network: Network
  /** Names in the order of the logits. */
  classes: string[]
  /** The run's options as JSON. */
  config: Record<string, unknown>
  position: CheckpointPosition
  datasetDigest: string
  optimizer: CheckpointOptimizer
  parameters: Float32Array
  /** As the optimizer names them. */
  moments: readonly Float32Array[]
}
