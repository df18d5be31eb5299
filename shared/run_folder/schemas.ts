import { z } from 'zod'

const count = z.int().min(0)
const seconds = z.number().min(0)
const share = z.number().min(0).max(1)
/** JSON has no NaN and no infinity; a diverged run has. They are null on disk, and NaN when read. */
const loss = z.union([z.number(), z.nan(), z.literal(Infinity), z.null()]).transform((value) => value ?? NaN)

/** One line of history.jsonl: one epoch. */
export const historyLineSchema = z.object({
  epoch: z.int().min(1),
  /** Steps done since the run began. */
  step: count,
  /** Steps of this epoch that were left out, since their gradient was not finite; they are in no other figure. */
  skippedSteps: count.default(0),
  /** Mean cross entropy of an image. */
  trainLoss: loss,
  trainAccuracy: share,
  testLoss: loss,
  testAccuracy: share,
  learningRate: z.number().min(0),
  /** Trained on in this epoch; the seconds it took, evaluation not included. */
  images: count,
  seconds,
  imagesPerSecond: z.number().min(0),
  workers: count,
})
export type HistoryLine = z.infer<typeof historyLineSchema>

/** One line of events.jsonl. */
export const eventLineSchema = z.looseObject({
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
  /** What happened, e.g. "workerLost"; the other fields are the event's own. */
  event: z.string().min(1),
})
export type EventLine = z.infer<typeof eventLineSchema>

export const classResultSchema = z.object({ images: count, correct: count, accuracy: share })

/** summary.json: how the run ended. */
export const summarySchema = z.object({
  /** sha256 of the parameters. */
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'),
  epochs: count,
  steps: count,
  /** How many of them were left out, since their gradient was not finite. */
  skippedSteps: count.default(0),
  trainLoss: loss,
  testLoss: loss,
  testAccuracy: share,
  /** Of the test images of each class. */
  perClass: z.record(z.string(), classResultSchema),
  /** Trained on in all. */
  images: count,
  imagesPerSecond: z.number().min(0),
  seconds,
  engine: z.enum(['native', 'wasm']),
  device: z.string(),
  precision: z.enum(['f32', 'bf16']),
  lanes: z.int().min(1),
  batch: z.int().min(1),
  /** Most at once. */
  workers: count,
  lanesComputed: count,
  lanesCounted: count,
  /** Because their holder was lost. */
  lanesRecomputed: count,
  /** From stragglers, by workers that had nothing to do. */
  lanesTakenOver: count,
  workersLost: count,
  restarts: count,
  /** The different numerics fingerprints among the workers: one, where all compute alike. */
  fingerprints: z.array(z.string()),
})
export type Summary = z.infer<typeof summarySchema>

/** A test image and what the network says of it. */
export const shownPredictionSchema = z.object({
  /** Path of the image in its data set. */
  path: z.string(),
  /** Class names, as folders have them. */
  truth: z.string(),
  predicted: z.string(),
  probability: z.number().nullable(),
  /** A small WebP picture, in base64. */
  image: z.string(),
})
export type ShownPrediction = z.infer<typeof shownPredictionSchema>

/** evaluation.json: what the last evaluation found. */
export const evaluationSchema = z.object({
  epoch: count,
  classes: z.array(z.string()),
  /** confusion[label][predicted] counts test images. */
  confusion: z.array(z.array(count)),
  /** Of random test images, chosen anew in each epoch. */
  predictions: z.array(shownPredictionSchema),
})
export type EvaluationView = z.infer<typeof evaluationSchema>

/** config.json: every option as resolved, and what else the run depends on; its keys are the coordinator's. */
export const configSchema = z.record(z.string(), z.unknown())
export type RunConfig = z.infer<typeof configSchema>
