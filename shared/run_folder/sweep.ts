import { z } from 'zod'

const count = z.int().min(0)

/** Content of sweep.json: how a sweep is, or how it ended. */
export const sweepSchema = z.object({
  name: z.string(),
  /** `stopped`: it can go on. */
  state: z.enum(['going on', 'stopped', 'finished']),
  /** The images as the user named them, absolute; and the numbers of those that trials learn from, that they are compared by, and that none of them sees. */
  data: z.object({ folder: z.string(), training: count, validation: count, heldOut: count, testFraction: z.number(), validationShare: z.number() }),
  /** What trials are compared by, after their last epoch. */
  measure: z.enum(['accuracy', 'loss']),
  /** Names of the parts that the search varies. */
  parts: z.array(z.string()),
  seeds: z.array(count).min(1),
  /** Null: every trial was to be trained to its end. */
  halving: z.object({ epochs: z.array(count), keep: z.number() }).nullable(),
  /** The best first; those that failed, or are not there yet, last. */
  trials: z.array(z.object({
    number: z.int().min(1),
    /** Value of each of the parts. */
    settings: z.record(z.string(), z.unknown()),
    /** `halted`: after a rung, others were better. `open`: not all that it was to train is trained. */
    state: z.enum(['finished', 'halted', 'failed', 'open']),
    /** Epochs of its longest run. */
    epochs: count,
    /** Mean over the seeds after the last epoch of each, and its standard deviation (null for one seed): accuracy from 0 to 1, or loss. Null before the first epoch, or if a loss is not finite. */
    mean: z.number().nullable(),
    spread: z.number().nullable(),
    /** Seconds of training, of all of its runs. */
    seconds: z.number().min(0),
    runs: z.array(z.object({
      seed: count,
      /** Folder of the run, relative to the sweep's. */
      folder: z.string(),
      state: z.enum(['finished', 'failed', 'open']),
      epochs: count,
      accuracy: z.number().nullable(),
      loss: z.number().nullable(),
      seconds: z.number().min(0),
      /** Why it failed. */
      reason: z.string().optional(),
    })),
  })),
})
export type Sweep = z.infer<typeof sweepSchema>
export type SweepTrial = Sweep['trials'][number]
export type SweepRun = SweepTrial['runs'][number]
