import { z } from 'zod'
import { evaluationSchema, historyLineSchema, summarySchema } from '../shared/run_folder/schemas.ts'

/**
 * What people look at while a run goes on and afterwards: the live page, `herd show` and `herd top` all show parts of a
 * `RunView`. It is complete in itself; `RunPatch` brings it up to date (live/patch.ts).
 */

const count = z.int().min(0)
const seconds = z.number().min(0)
const number = z.number().nullable()

/** A worker as its coordinator sees it. */
export const memberSchema = z.object({
  name: z.string(),
  /** What it computes with, for people: "TensorFlow 2.18.1", "cpu". */
  engine: z.string(),
  device: z.string(),
  /** Computing: it owes units. Draining: it finishes them and leaves. */
  state: z.enum(['computing', 'idle', 'draining']),
  /** What the units that it owes are: lanes of a step, or blocks of the test set. */
  kind: z.enum(['TRAIN', 'EVALUATE']).nullable(),
  /** Units that it has been dealt and has not delivered. */
  owes: z.array(count),
  /** Counted of it since it joined. */
  lanes: count,
  images: count,
  /** Measured time of one lane; null before there is one. */
  laneSeconds: number,
  /** Of the worker and its compute process. */
  residentBytes: z.number().min(0),
  receivedBytes: count,
  sentBytes: count,
  /** Since it joined. */
  secondsIn: seconds,
})
export type MemberView = z.infer<typeof memberSchema>

/** What does not change while a run goes on. */
export const runFactsSchema = z.object({
  /** Last part of the folder's path; what the metrics' label `run` says. */
  name: z.string(),
  folder: z.string(),
  /** All that decides the result; of a run of another version, what this one understands of it. */
  recipe: z.record(z.string(), z.unknown()),
  parameters: count,
  /** Folder names; the page shows English ones beside them. */
  classes: z.array(z.string()),
  trainImages: count,
  testImages: count,
  stepsPerEpoch: count,
})
export type RunFacts = z.infer<typeof runFactsSchema>

/** Interrupted: the folder of a run that neither finished nor goes on. */
export const runStateSchema = z.enum(['waiting', 'training', 'evaluating', 'finished', 'stopped', 'failed', 'interrupted'])
export type RunState = z.infer<typeof runStateSchema>

export const progressSchema = z.object({
  /** The epoch in progress, from 1. */
  epoch: count,
  /** Steps of it that are done. */
  stepInEpoch: count,
  /** Steps of the run that are done. */
  step: count,
  /** Over the last steps; null before there is one. */
  imagesPerSecond: number,
  /** Until the epoch's steps are done, and the run's, at this speed; null when nobody can tell. */
  epochSecondsLeft: number,
  runSecondsLeft: number,
  /** Blocks of the test set that have been evaluated, while that goes on. */
  testing: z.object({ done: count, total: count }).nullable(),
})
export type RunProgress = z.infer<typeof progressSchema>

/** One step's figures, or the mean of several where there are more than a curve can show. JSON has no NaN: null. */
export const stepPointSchema = z.object({
  step: count,
  loss: number,
  accuracy: z.number(),
  imagesPerSecond: z.number(),
  /** Norm of the gradient (L2, of the mean over the batch). */
  gradientNorm: number,
})
export type StepPoint = z.infer<typeof stepPointSchema>

/** Who computed which lane of a step: names of workers, in the order of lanes. */
export const laneStripSchema = z.object({ step: count, computedBy: z.array(z.string()) })
export type LaneStrip = z.infer<typeof laneStripSchema>

/** Something that happened, in words. */
export const eventViewSchema = z.object({
  /** ISO 8601, UTC. */
  time: z.string(),
  /** The event's type, e.g. "workerLost". */
  kind: z.string(),
  level: z.enum(['info', 'warning']),
  text: z.string(),
})
export type EventView = z.infer<typeof eventViewSchema>

export const runViewSchema = z.object({
  facts: runFactsSchema,
  state: runStateSchema,
  /** ISO 8601, UTC: when this process of the run began. */
  startedAt: z.string(),
  progress: progressSchema,
  history: z.array(historyLineSchema),
  /** Some thousand at most: later ones stand for more steps each. */
  steps: z.array(stepPointSchema),
  members: z.array(memberSchema),
  /** Of the last steps, oldest first. */
  strips: z.array(laneStripSchema),
  evaluation: evaluationSchema.nullable(),
  /** The last ones, oldest first. */
  events: z.array(eventViewSchema),
  /** Once the run has finished. */
  summary: summarySchema.nullable(),
})
export type RunView = z.infer<typeof runViewSchema>

/** What changed since the last patch: fields take the place of the view's, then `new...` are added to its lists. */
export interface RunPatch extends Partial<RunView> {
  newHistory?: RunView['history']
  newSteps?: StepPoint[]
  newStrips?: LaneStrip[]
  newEvents?: EventView[]
}

/** The part that `herd top` shows. */
export const briefSchema = runViewSchema.pick({ facts: true, state: true, startedAt: true, progress: true, members: true }).extend({
  lastStep: stepPointSchema.nullable(),
  lastEpoch: historyLineSchema.nullable(),
})
export type RunBrief = z.infer<typeof briefSchema>

/** Messages of the live page's WebSocket, server to page, packed by msgpackr. The page sends none. */
export type LiveMessage =
  /** First, and after each reconnection: everything. `live`: runs that go on, rather than folders of earlier ones. */
  | { type: 'runs'; live: boolean; runs: RunView[] }
  /** `run` is the index in the list above. */
  | { type: 'patch'; run: number; patch: RunPatch }

/** What the network says of a photograph that was dropped in. */
export interface PhotoPrediction {
  /** The weights that were asked. */
  step: number
  epoch: number
  /** The likeliest first; class names as folders have them. */
  classes: { class: string; name: string; probability: number }[]
}
