import { z } from 'zod'
import { evaluationSchema, historyLineSchema, summarySchema } from '../shared/run_folder/schemas.ts'

/**
 * The views of a run, during it and afterwards: the live page, `herd show` and `herd top` all show parts of a `RunView`.
 * A `RunView` is complete in itself; a `RunPatch` brings it up to date (live/patch.ts).
 */

const count = z.int().min(0)
const seconds = z.number().min(0)
const number = z.number().nullable()

/** A worker as its coordinator sees it. */
export const memberSchema = z.object({
  name: z.string(),
  /** Version of the engine that it computes with, for people: "TensorFlow 2.18.1"; the device below: "cpu". */
  engine: z.string(),
  device: z.string(),
  /** 'computing': it owes units; 'draining': it finishes them and leaves. */
  state: z.enum(['computing', 'idle', 'draining']),
  /** Kind of the units that it owes: lanes of a step, or blocks of the test set. */
  kind: z.enum(['TRAIN', 'EVALUATE']).nullable(),
  /** Units that it has been dealt and has not delivered. */
  owes: z.array(count),
  /** Lanes that counted since it joined. */
  lanes: count,
  /** Images that counted since it joined. */
  images: count,
  /** Measured time of one lane, in seconds; null before there is one. */
  laneSeconds: number,
  /** Memory of the worker and its compute process. */
  residentBytes: z.number().min(0),
  receivedBytes: count,
  sentBytes: count,
  /** Seconds since it joined. */
  secondsIn: seconds,
})
export type MemberView = z.infer<typeof memberSchema>

/** Facts that do not change during a run. */
export const runFactsSchema = z.object({
  /** Last part of the folder's path, which is also the metrics' label `run`. */
  name: z.string(),
  folder: z.string(),
  /** The recipe, which decides the result; for a run of another version, the part of it that this version understands. */
  recipe: z.record(z.string(), z.unknown()),
  parameters: count,
  /** Classes, by their folders' names; the page shows English names beside them. */
  classes: z.array(z.string()),
  trainImages: count,
  testImages: count,
  stepsPerEpoch: count,
})
export type RunFacts = z.infer<typeof runFactsSchema>

/** State of a run; 'interrupted' is that of a folder whose run neither finished nor goes on. */
export const runStateSchema = z.enum(['waiting', 'training', 'evaluating', 'finished', 'stopped', 'failed', 'interrupted'])
export type RunState = z.infer<typeof runStateSchema>

export const progressSchema = z.object({
  /** The epoch in progress, from 1. */
  epoch: count,
  /** Steps of this epoch that are done. */
  stepInEpoch: count,
  /** Steps of the run that are done. */
  step: count,
  /** Images a second over the last steps; null before there is a step. */
  imagesPerSecond: number,
  /** Seconds until the epoch's steps are done, at this speed; null if that is not known. */
  epochSecondsLeft: number,
  /** Seconds until the run's steps are done, at this speed; null if that is not known. */
  runSecondsLeft: number,
  /** Blocks of the test set: how many have been evaluated, and how many there are; null if no evaluation is in progress. */
  testing: z.object({ done: count, total: count }).nullable(),
})
export type RunProgress = z.infer<typeof progressSchema>

/** Figures of one step, or the mean of several if there are more than a curve can show. NaN is null, since JSON has no NaN. */
export const stepPointSchema = z.object({
  step: count,
  loss: number,
  accuracy: z.number(),
  imagesPerSecond: z.number(),
  /** L2 norm of the gradient, which is the mean over the batch; null if it is not known. */
  gradientNorm: number,
})
export type StepPoint = z.infer<typeof stepPointSchema>

/** The workers that computed the lanes of a step: `computedBy` has one name for each lane. */
export const laneStripSchema = z.object({ step: count, computedBy: z.array(z.string()) })
export type LaneStrip = z.infer<typeof laneStripSchema>

/** Something that happened, in words. */
export const eventViewSchema = z.object({
  /** Time of the event: ISO 8601, UTC. */
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
  /** Time at which this process of the run began: ISO 8601, UTC. */
  startedAt: z.string(),
  progress: progressSchema,
  history: z.array(historyLineSchema),
  /** Points of the curves, some thousand at most: older ones stand for more steps each. */
  steps: z.array(stepPointSchema),
  members: z.array(memberSchema),
  /** Lanes of the last steps, oldest first. */
  strips: z.array(laneStripSchema),
  evaluation: evaluationSchema.nullable(),
  /** The last events, oldest first. */
  events: z.array(eventViewSchema),
  /** Summary of the run; null until it has finished. */
  summary: summarySchema.nullable(),
  /** True if a report of the run can be asked for, at /report. */
  report: z.boolean().optional(),
})
export type RunView = z.infer<typeof runViewSchema>

/** Changes since the last patch: fields replace those of the view, then the lists `new...` are appended to its lists. */
export interface RunPatch extends Partial<RunView> {
  newHistory?: RunView['history']
  newSteps?: StepPoint[]
  newStrips?: LaneStrip[]
  newEvents?: EventView[]
}

/** The part of a view that `herd top` shows. */
export const briefSchema = runViewSchema.pick({ facts: true, state: true, startedAt: true, progress: true, members: true }).extend({
  lastStep: stepPointSchema.nullable(),
  lastEpoch: historyLineSchema.nullable(),
})
export type RunBrief = z.infer<typeof briefSchema>

/** Messages of the live page's WebSocket, server to page, packed by msgpackr. The page sends none. */
export type LiveMessage =
  /** All runs: the first message, also after each reconnection. `live`: true for runs in progress, false for folders of saved ones. */
  | { type: 'runs'; live: boolean; runs: RunView[] }
  /** A change of one run; `run` is its index in the list above. */
  | { type: 'patch'; run: number; patch: RunPatch }

/** The network's answer about a photograph. */
export interface PhotoPrediction {
  /** Step and epoch of the weights that gave the answer. */
  step: number
  epoch: number
  /** Classes, the likeliest first; `class` is the folder's name, `name` the one to show. */
  classes: { class: string; name: string; probability: number }[]
}
