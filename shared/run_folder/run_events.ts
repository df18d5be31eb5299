import { z } from 'zod'
import { evaluationSchema } from './schemas.ts'

/** A kind of event: the shape of its fields, and its sentence for people. */
interface EventKind<S extends z.ZodRawShape> {
  shape: S
  /**
   * Builds the sentence from the event's fields.
   * @returns undefined if the fields that the sentence needs are not as expected: an older or a newer Herd may have written them
   */
  sentence: (fields: unknown) => string | undefined
}

/**
 * Defines a kind of event.
 * @param used names of the fields that the sentence needs; a line that lacks other fields still gets its sentence
 * @param sentence builds the sentence; if it begins with a small letter, a caller that shows it by itself capitalises it
 */
function kind<S extends z.ZodRawShape, U extends keyof S & string>(shape: S, used: readonly U[], sentence: (fields: z.output<z.ZodObject<Pick<S, U>>>) => string): EventKind<S> {
  const needed = z.object(Object.fromEntries(used.map((name) => [name, shape[name]])) as Pick<S, U>)
  return {
    shape,
    sentence: (fields) => {
      const { success, data } = needed.safeParse(fields)
      return success ? sentence(data) : undefined
    },
  }
}

const text = z.string()
const number = z.number()
const numbers = z.array(number)
const roundKind = z.enum(['TRAIN', 'EVALUATE'])
/** A number that is NaN or infinite if the run has diverged; in a file that is null. */
const diverging = z.union([number, z.nan(), z.literal([Infinity, -Infinity]), z.null()]).transform((value) => value ?? NaN)
/** Fields of a deal. Older versions of Herd recorded only lanes, without a kind. */
const dealtUnits = { kind: roundKind.default('TRAIN'), worker: text, step: number, units: numbers, attempt: number }

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const listed = (noun: string, values: readonly (number | string)[]): string => `${noun}${values.length === 1 ? '' : 's'} ${values.join(', ')}`
const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
/** Formats the units of a deal as the subject of a sentence, with its verb. */
const unitsAre = ({ kind, step, units }: { kind: z.infer<typeof roundKind>; step: number; units: readonly number[] }): string =>
  `${kind === 'TRAIN' ? `${listed('lane', units)} of step ${step + 1}` : `${listed('block', units)} of the test set`} ${units.length === 1 ? 'is' : 'are'}`

/**
 * Describes which part of a step's gradient is not finite, for people.
 * @param lanes lanes whose gradients are not finite; empty if each lane is finite by itself and their sum is too large
 */
export function whatIsNotFinite(lanes: readonly number[], parameter: string): string {
  return `the gradient of ${lanes.length === 0 ? 'the sum of all lanes' : listed('lane', lanes)} is not finite, first in ${parameter}`
}

/** How a check of a worker's gradients can end. */
export const checkResults = ['confirmed', 'missed', 'undecided', 'lied'] as const

const kinds = {
  started: kind({ runId: text, images: number, testImages: number, classes: z.array(text), parameters: number }, ['images', 'testImages', 'classes', 'parameters'], ({ images, testImages, classes, parameters }) =>
    `Training on ${images} images of ${classes.length} classes, testing on ${testImages}; ${parameters.toLocaleString('en')} parameters.`),
  /** Field `restarts`: number of times that the run has been resumed, this time included. */
  resumed: kind({ file: text, epoch: number, step: number, restarts: number }, ['file', 'epoch', 'step'], ({ file, epoch, step }) => `Going on from ${file}: epoch ${epoch}, step ${step}.`),
  imageSkipped: kind({ path: text, reason: text }, ['path', 'reason'], ({ path, reason }) => `image ${path} is left out: ${reason}`),
  listening: kind({ address: text }, ['address'], ({ address }) => `waiting for workers at ${address}`),
  waitingForReducers: kind({ address: text, reducers: number }, ['address', 'reducers'], ({ address, reducers }) => `waiting for ${counted(reducers, 'reducer')} at ${address}`),
  reducerJoined: kind({ reducer: number, address: text, begin: number, end: number }, ['reducer', 'address', 'begin', 'end'], ({ reducer, address, begin, end }) =>
    `reducer ${reducer} joined at ${address}; it owns parameters ${begin} to ${end - 1}.`),
  reducerLost: kind({ reducer: number, reason: text }, ['reducer', 'reason'], ({ reducer, reason }) => `reducer ${reducer} is lost: ${reason}.`),
  workerJoined: kind({ worker: text, workers: number, engine: text, device: text, fingerprint: text, sharesMemory: z.boolean() }, ['worker', 'workers', 'engine', 'device'], ({ worker, workers, engine, device }) =>
    `worker ${worker} joined (${engine}, ${device}); ${workers} in.`),
  workerLost: kind({ worker: text, workers: number, reason: text }, ['worker', 'workers', 'reason'], ({ worker, workers, reason }) => `worker ${worker} is lost: ${reason}; ${workers} left.`),
  /** Field `lanes`: lanes of the partial of which a part had come, and was added unless another worker's result was there first. */
  uploadUnfinished: kind({ worker: text, step: number, lanes: numbers }, ['worker', 'step', 'lanes'], ({ worker, step, lanes }) => `worker ${worker} left in the middle of its upload of ${listed('lane', lanes)} of step ${step + 1}; what had come of it counts.`),
  /**
   * A worker has said something else of some lanes than two others. Fields `digest` and `truth`: keyed digests, which mean nothing outside the run; `counted`: true if what it
   * sent is in the weights, which then go back, and false if it has answered a check wrongly.
   */
  workerLied: kind({ identity: text, step: number, lanes: numbers, digest: text, truth: text, witnesses: z.array(text), counted: z.boolean() }, ['identity', 'step', 'lanes', 'digest', 'truth', 'witnesses', 'counted'],
    ({ identity, step, lanes, digest, truth, witnesses, counted: isCounted }) =>
      `${identity} is put out of the run: ${listed('lane', lanes)} of step ${step + 1} ${isCounted ? 'came from it' : 'were checked by it'} as ${digest}, where ${witnesses.join(' and ')} have ${truth}.`),
  /** Field `between`: identities of the two workers. */
  disputed: kind({ step: number, lanes: numbers, between: z.array(text) }, ['step', 'lanes', 'between'], ({ step, lanes, between }) => `${between.join(' and ')} do not agree on ${listed('lane', lanes)} of step ${step + 1}; a third worker is to decide.`),
  checkWaiting: kind({ step: number, lanes: numbers, worker: text }, ['step', 'lanes', 'worker'], ({ step, lanes, worker }) => `${listed('lane', lanes)} of step ${step + 1}, from ${worker}, must be checked: waiting for a worker of another identity.`),
  /** Field `worker`: the worker that sent what was checked. */
  checked: kind({ step: number, lanes: numbers, worker: text, result: z.enum(checkResults) }, ['step', 'lanes', 'worker', 'result'], ({ step, lanes, worker, result }) => `check of ${listed('lane', lanes)} of step ${step + 1}, from ${worker}: ${result}.`),
  workerLeft: kind({ worker: text, workers: number }, ['worker', 'workers'], ({ worker, workers }) => `worker ${worker} has left; ${workers} in.`),
  waiting: kind({}, [], () => 'no worker is left; waiting for one to join.'),
  goingOn: kind({ workers: number, waitedSeconds: number }, ['waitedSeconds'], ({ waitedSeconds }) => `going on after ${waitedSeconds.toFixed(0)} s of waiting.`),
  dealt: kind({ worker: text, kind: roundKind, units: numbers }, ['worker', 'kind', 'units'], ({ worker, kind, units }) => `${listed(kind === 'TRAIN' ? 'lane' : 'block', units)} dealt to ${worker}.`),
  dealtAgain: kind(dealtUnits, ['kind', 'worker', 'step', 'units'], (deal) => `${unitsAre(deal)} dealt again, to ${deal.worker}.`),
  takenOver: kind(dealtUnits, ['kind', 'worker', 'step', 'units'], (deal) => `${unitsAre(deal)} taken over by ${deal.worker}, which is expected to be sooner.`),
  dropped: kind({ worker: text, units: number, reason: text }, ['worker', 'reason'], ({ worker, reason }) => `a result of ${worker} is dropped: ${reason}.`),
  /** Fields `worker` and `difference`: in what the worker that has just joined differs from the first one; older versions of Herd recorded neither. */
  fingerprintsDiffer: kind({ worker: text.default(''), difference: text.default('workers compute different bits'), fingerprints: z.record(text, text) }, ['worker', 'difference'], ({ worker, difference }) =>
    `${worker === '' ? '' : `worker ${worker}: `}${difference}: the result depends on who computes what.`),
  step: kind(
    {
      epoch: number, stepInEpoch: number, stepsPerEpoch: number, step: number, samples: number, seconds: number, loss: diverging, accuracy: number, gradientNorm: diverging,
      split: z.object({ lanes: number, reduce: number, optimizer: number, broadcast: number }), computedBy: z.array(text),
    },
    ['epoch', 'step', 'loss', 'seconds'], ({ epoch, step, loss, seconds }) => `step ${step} of epoch ${epoch}: loss ${loss.toFixed(4)}, ${seconds.toFixed(2)} s.`,
  ),
  gradientNotFinite: kind({ epoch: number, step: number, lanes: numbers, parameter: text, action: z.enum(['stop', 'skip']) }, ['step', 'lanes', 'parameter', 'action'], ({ step, lanes, parameter, action }) =>
    `step ${step} ${action === 'skip' ? 'is left out' : 'ends the run'}: ${whatIsNotFinite(lanes, parameter)}.`),
  lossNotFinite: kind({ epoch: number, step: number, lanes: numbers }, ['step', 'lanes'], ({ step, lanes }) => `the loss of step ${step} is not finite (${listed('lane', lanes)}); its gradient is, and training goes on.`),
  /** Field `beside`: true if the next epoch is trained at the same time. */
  evaluating: kind({ epoch: number, beside: z.boolean() }, ['epoch'], ({ epoch }) => `testing after epoch ${epoch}.`),
  /** Fields `done` and `total`: numbers of blocks of the test set. */
  testing: kind({ done: number, total: number }, ['done', 'total'], ({ done, total }) => `${done} of ${counted(total, 'block')} of the test set done.`),
  /** Complete result of an evaluation, as in evaluation.json. */
  evaluated: kind({ ...evaluationSchema.shape, step: number }, ['epoch'], ({ epoch }) => `the evaluation after epoch ${epoch} is in.`),
  /** Field `step`: steps of the run at the epoch's end; more may have been taken by now. */
  epoch: kind(
    {
      epoch: number, epochs: number, step: number, trainLoss: diverging, trainAccuracy: number, testLoss: diverging, testAccuracy: number, learningRate: number, images: number, skippedSteps: number,
      seconds: number, imagesPerSecond: number, workers: number,
    },
    ['epoch', 'epochs', 'trainLoss', 'trainAccuracy', 'testLoss', 'testAccuracy', 'imagesPerSecond', 'seconds'],
    ({ epoch, epochs, trainLoss, trainAccuracy, testLoss, testAccuracy, imagesPerSecond, seconds }) => [
      `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
      `train loss ${trainLoss.toFixed(4)} accuracy ${percent(trainAccuracy)}`,
      `test loss ${testLoss.toFixed(4)} accuracy ${percent(testAccuracy)}`,
      `${imagesPerSecond.toFixed(1)} images/s`,
      `${seconds.toFixed(0)} s`,
    ].join('  '),
  ),
  checkpoint: kind({ file: text, epoch: number, stepInEpoch: number, step: number, bytes: number, seconds: number }, ['epoch', 'step'], ({ epoch, step }) => `saved step ${step} (epoch ${epoch}).`),
  checkpointFailed: kind({ file: text, epoch: number, step: number, reason: text, retrySeconds: number }, ['step', 'reason', 'retrySeconds'], ({ step, reason, retrySeconds }) =>
    `step ${step} cannot be saved: ${reason} Training goes on; the next try is in ${retrySeconds} s.`),
  checkpointDamaged: kind({ file: text, reason: text }, ['reason'], ({ reason }) => `passed over: ${reason}`),
  writeFailed: kind({ file: text, reason: text }, ['reason'], ({ reason }) => `not written: ${reason} Training goes on; this is said once.`),
  repaired: kind({ what: text }, ['what'], ({ what }) => `after the crash of an earlier process: ${what}.`),
  stopped: kind({ signal: text }, ['signal'], ({ signal }) => `the run was stopped by ${signal}; a checkpoint is saved.`),
  failed: kind({ reason: text }, ['reason'], ({ reason }) => `the run failed: ${reason}`),
  finished: kind({ digest: text, epochs: number, seconds: number }, ['epochs', 'seconds'], ({ epochs, seconds }) => `the run has finished: ${counted(epochs, 'epoch')}, ${seconds.toFixed(0)} s of training.`),
}

export type EventType = keyof typeof kinds
type EventOf<T extends string, K> = K extends EventKind<infer S> ? z.output<z.ZodObject<{ type: z.ZodLiteral<T> } & S>> : never

/** An event of a run, as observers receive it live. A line of events.jsonl has the same fields, with the type under `event`. */
export type RunEvent = { [T in EventType]: EventOf<T, (typeof kinds)[T]> }[EventType]

/**
 * Builds the sentence of an event from its fields, live or from events.jsonl.
 * @returns undefined if this version of Herd does not know the type, or the fields are not as it expects them
 */
export function sentenceOf(type: string, fields: unknown): string | undefined {
  return Object.hasOwn(kinds, type) ? kinds[type as EventType].sentence(fields) : undefined
}
