import { z } from 'zod'
import { layoutOf, wholeLayoutOf, type Layout } from '../model/layout.ts'
import { networkSchema, type Network } from '../model/network.ts'

/** Version of the file format, raised whenever an older Herd would misread the file. 2: steps can have been skipped. 3: the optimizer can be any. */
export const FORMAT_VERSION = 3

/** Keys of the file's `__metadata__`. */
export const DESCRIPTION_KEY = 'herd'
export const CHECKSUM_KEY = 'sha256'

/** Names of a checkpoint's vectors, in the order of their bytes: of the parameters, one tensor for each; of the moments, one for each that is not frozen. */
export function vectorNames({ name, moments }: CheckpointOptimizer): string[] {
  return ['parameters', ...moments.map((moment) => `${name}.${moment}`)]
}

const word = z.string().regex(/^\w{1,64}$/)
const optimizerSchema = z.object({ name: word, moments: z.array(word).max(16) })
/** The optimizer that a checkpoint's moments belong to: its name, and the name of each moment vector in the order of their bytes. */
export type CheckpointOptimizer = z.infer<typeof optimizerSchema>

/** The optimizer of every file before format 3; these files do not name it. */
const ONLY_OPTIMIZER: CheckpointOptimizer = { name: 'adam', moments: ['m', 'v'] }

const count = z.int().min(0)
/** A sum that is NaN once a run has diverged. JSON has no NaN, so the file has null in its place. */
const sum = z.number().nullable().transform((value) => value ?? NaN)

const positionSchema = z.object({
  /** The epoch in progress or just ended, counted from 1. */
  epoch: z.int().min(1),
  /** Steps done since the run began, and in this epoch. */
  step: count,
  stepInEpoch: count,
  /** Number of those steps that were skipped, since the run began and in this epoch; the optimizer does not count them. Format 1 has neither. */
  skippedSteps: count.default(0),
  epochSkippedSteps: count.default(0),
  /** Sums over the images that this epoch has trained on so far, and the seconds it has taken. */
  epochLossSum: sum,
  epochCorrect: count,
  epochImages: count,
  epochSeconds: z.number().min(0),
  /** Images trained on, and seconds spent, since the run began. */
  images: count,
  seconds: z.number().min(0),
})
export type CheckpointPosition = z.infer<typeof positionSchema>

/** The JSON that describes a checkpoint, stored in the file beside its tensors. */
export const descriptionSchema = z.object({
  formatVersion: z.int().min(1).max(FORMAT_VERSION),
  /** With the names of what is frozen. */
  network: networkSchema,
  classes: z.array(z.string()).min(2),
  /** The run's options as JSON, for a resumed run. */
  config: z.record(z.string(), z.unknown()),
  position: positionSchema,
  optimizer: optimizerSchema.default(ONLY_OPTIMIZER),
  datasetDigest: z.string(),
  /** Digest of the parameters, as by `parameterDigest`. */
  digest: z.string(),
})
export type CheckpointDescription = z.infer<typeof descriptionSchema>

/** Everything that resuming needs. */
export interface Checkpoint {
  /** The network as it is used, with nothing frozen. */
  network: Network
  /** Names of the parameters that the run keeps as they are; absent if it trains all. */
  frozen?: readonly string[] | undefined
  /** Class names in the order of the logits. */
  classes: string[]
  /** The run's options as JSON. */
  config: Record<string, unknown>
  position: CheckpointPosition
  datasetDigest: string
  optimizer: CheckpointOptimizer
  /** All parameters, frozen ones too, in the network's layout. */
  parameters: Float32Array
  /** The optimizer's moment vectors of the parameters that are not frozen (`layoutOf` of the network with `frozen`), in the order of `optimizer.moments`. */
  moments: readonly Float32Array[]
}

/**
 * Lays out a checkpoint's vectors, in the order of `vectorNames`.
 * @param network with what is frozen
 * @throws ShapeError if the network's layers do not fit each other
 */
export function layoutsOf(network: Network, { moments }: CheckpointOptimizer): Layout[] {
  const stepped = layoutOf(network)
  return [wholeLayoutOf(network), ...moments.map(() => stepped)]
}
