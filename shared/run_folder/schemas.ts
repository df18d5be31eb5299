import { z } from 'zod'
import { chainHeadSchema } from '../audit/provenance.ts'

const count = z.int().min(0)
const seconds = z.number().min(0)
const share = z.number().min(0).max(1)
/** A loss. JSON has neither NaN nor infinity, which a diverged run has: they are null on disk, and NaN when read. */
const loss = z.union([z.number(), z.nan(), z.literal(Infinity), z.null()]).transform((value) => value ?? NaN)

/** One line of history.jsonl, which is one epoch. */
export const historyLineSchema = z.object({
  epoch: z.int().min(1),
  /** Number of steps done since the run began. */
  step: count,
  /** Number of this epoch's steps that were left out, since their gradient was not finite; they count in no other figure. */
  skippedSteps: count.default(0),
  /** Mean cross entropy over the images. */
  trainLoss: loss,
  trainAccuracy: share,
  testLoss: loss,
  testAccuracy: share,
  learningRate: z.number().min(0),
  /** Number of images trained on in this epoch; `seconds` is the time that took, without evaluation. */
  images: count,
  seconds,
  imagesPerSecond: z.number().min(0),
  workers: count,
})
export type HistoryLine = z.infer<typeof historyLineSchema>

/** One line of events.jsonl. */
export const eventLineSchema = z.looseObject({
  /** Time of the event, ISO 8601 in UTC. */
  time: z.iso.datetime(),
  /** Type of the event, e.g. "workerLost"; the other fields depend on it. */
  event: z.string().min(1),
})
export type EventLine = z.infer<typeof eventLineSchema>

/** Test result of one class; `accuracy` is correct / images, or 0 without images. */
export const classResultSchema = z.object({ images: count, correct: count, accuracy: share })

/** Content of summary.json: how the run ended. */
export const summarySchema = z.object({
  /** Digest of the final parameters, sha256. */
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'),
  epochs: count,
  steps: count,
  /** Number of steps that were left out, since their gradient was not finite. */
  skippedSteps: count.default(0),
  trainLoss: loss,
  testLoss: loss,
  testAccuracy: share,
  /** Test result of each class, by the class's name. */
  perClass: z.record(z.string(), classResultSchema),
  /** Number of images trained on over the whole run. */
  images: count,
  imagesPerSecond: z.number().min(0),
  seconds,
  engine: z.enum(['native', 'wasm']),
  device: z.string(),
  precision: z.enum(['f32', 'bf16']),
  lanes: z.int().min(1),
  batch: z.int().min(1),
  /** Greatest number of workers at the same time. */
  workers: count,
  lanesComputed: count,
  lanesCounted: count,
  /** Number of lanes that were computed again because the worker that held them was lost. */
  lanesRecomputed: count,
  /** Number of lanes that workers without work took over from slow ones. */
  lanesTakenOver: count,
  workersLost: count,
  restarts: count,
  /** Distinct numerics fingerprints of the workers: only one if all compute the same bits. */
  fingerprints: z.array(z.string()),
  /** End of the chain in digests.jsonl, which stands for the whole of it; absent if the run keeps none. */
  digests: chainHeadSchema.optional(),
})
export type Summary = z.infer<typeof summarySchema>

/** A test image and the network's prediction for it. */
export const shownPredictionSchema = z.object({
  /** Path of the image in its data set. */
  path: z.string(),
  /** Name of the true class, as its folder is named; so is `predicted`. */
  truth: z.string(),
  predicted: z.string(),
  probability: z.number().nullable(),
  /** Small WebP picture of the image, in base64. */
  image: z.string(),
})
export type ShownPrediction = z.infer<typeof shownPredictionSchema>

/** Content of evaluation.json: the result of the last evaluation. */
export const evaluationSchema = z.object({
  epoch: count,
  classes: z.array(z.string()),
  /** Counts of test images, [true class][predicted class]; empty if there are more than a hundred classes. */
  confusion: z.array(z.array(count)),
  /** Counts above zero, [true class, predicted class, images], if there are more than a hundred classes. */
  cells: z.array(z.tuple([count, count, count])).optional(),
  /** Predictions for some random test images, which are chosen anew in each epoch. */
  predictions: z.array(shownPredictionSchema),
})
export type EvaluationView = z.infer<typeof evaluationSchema>

/** Content of banned.json: the identities that were put out of the run, and are not let in again. */
export const bannedSchema = z.array(z.strictObject({
  identity: z.string().min(1).max(256),
  /** What vouched for the identity; `name`: nothing did, since the worker chose it. */
  identityBy: z.enum(['certificate', 'token', 'name']),
  step: count,
  reason: z.string().max(4096),
})).readonly()
export type Banned = z.infer<typeof bannedSchema>

/** Content of config.json: every option as resolved, and what else the run depends on. The coordinator decides its keys. */
export const configSchema = z.record(z.string(), z.unknown())
export type RunConfig = z.infer<typeof configSchema>
