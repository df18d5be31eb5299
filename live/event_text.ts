import { z } from 'zod'
import type { EventView } from './view.ts'

type Words = Pick<EventView, 'level' | 'text'>

/** What a kind of event has to say, from its fields as events.jsonl has them; undefined where they are not as expected. */
type Describe = (fields: unknown) => Words | undefined

function kind<S extends z.ZodRawShape>(level: EventView['level'], shape: S, text: (fields: z.infer<z.ZodObject<S>>) => string): Describe {
  const schema = z.object(shape)
  return (fields) => {
    const { success, data } = schema.safeParse(fields)
    return success ? { level, text: text(data) } : undefined
  }
}

const text = z.string()
const number = z.number()
const numbers = z.array(z.number())

const listed = (noun: string, values: readonly number[]): string => `${noun}${values.length === 1 ? '' : 's'} ${values.join(', ')}`
const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
/** NaN where a run diverged, which is null in JSON. */
const loss = z.union([number, z.nan(), z.literal([Infinity, -Infinity]), z.null()]).transform((value) => (value === null ? 'NaN' : value.toFixed(4)))
const percent = number.transform((share) => `${(share * 100).toFixed(1)} %`)

const kinds: Readonly<Record<string, Describe>> = {
  started: kind('info', { images: number, testImages: number, classes: z.array(text) }, ({ images, testImages, classes }) =>
    `Training begins on ${images} images of ${classes.length} classes; ${testImages} are for testing.`),
  listening: kind('info', { address: text }, ({ address }) => `Waiting for workers at ${address}.`),
  waitingForReducers: kind('info', { address: text, reducers: number }, ({ address, reducers }) => `Waiting for ${counted(reducers, 'reducer')} at ${address}.`),
  reducerJoined: kind('info', { reducer: number, begin: number, end: number }, ({ reducer, begin, end }) => `Reducer ${reducer} joined; it owns parameters ${begin} to ${end - 1}.`),
  reducerLost: kind('warning', { reducer: number, reason: text }, ({ reducer, reason }) => `Reducer ${reducer} is lost: ${reason}.`),
  resumed: kind('info', { epoch: number, step: number }, ({ epoch, step }) => `The run goes on from a checkpoint: epoch ${epoch}, step ${step}.`),
  imageSkipped: kind('warning', { path: text, reason: text }, ({ path, reason }) => `${path} is left out: ${reason}`),
  workerJoined: kind('info', { worker: text, workers: number }, ({ worker, workers }) => `Worker ${worker} joined; ${workers} in.`),
  workerLost: kind('warning', { worker: text, workers: number, reason: text }, ({ worker, workers, reason }) => `Worker ${worker} is lost: ${reason}; ${workers} left.`),
  workerLeft: kind('info', { worker: text, workers: number }, ({ worker, workers }) => `Worker ${worker} has left; ${workers} in.`),
  waiting: kind('warning', {}, () => 'No worker is left; waiting for one to join.'),
  goingOn: kind('info', { waitedSeconds: number }, ({ waitedSeconds }) => `Going on after ${waitedSeconds.toFixed(0)} s of waiting.`),
  dealt: kind('info', { worker: text, kind: text, units: numbers }, ({ worker, kind, units }) => `${kind === 'EVALUATE' ? listed('Block', units) : listed('Lane', units)} dealt to ${worker}.`),
  dealtAgain: kind('info', { worker: text, step: number, units: numbers }, ({ worker, step, units }) => `${listed('Lane', units)} of step ${step + 1} dealt again, to ${worker}.`),
  takenOver: kind('info', { worker: text, step: number, units: numbers }, ({ worker, step, units }) => `${listed('Lane', units)} of step ${step + 1} taken over by ${worker}, which is expected to be sooner.`),
  dropped: kind('info', { worker: text, reason: text }, ({ worker, reason }) => `A result of ${worker} is dropped: ${reason}.`),
  fingerprintsDiffer: kind('warning', { fingerprints: z.record(text, text) }, ({ fingerprints }) =>
    `Workers compute different bits (numerics fingerprints: ${Object.entries(fingerprints).map(([worker, print]) => `${worker} ${print}`).join(', ')}): the result depends on who computes what.`),
  step: kind('info', { epoch: number, step: number, loss, seconds: number }, ({ epoch, step, loss, seconds }) => `Step ${step} of epoch ${epoch}: loss ${loss}, ${seconds.toFixed(2)} s.`),
  gradientNotFinite: kind('warning', { step: number, lanes: numbers, parameter: text, action: text }, ({ step, lanes, parameter, action }) =>
    `In step ${step}, the gradient of ${lanes.length === 0 ? 'the sum of all lanes' : listed('lane', lanes)} is not finite, first in ${parameter}: ${action === 'skip' ? 'the step is left out.' : 'the run ends.'}`),
  lossNotFinite: kind('warning', { step: number, lanes: numbers }, ({ step, lanes }) => `The loss of step ${step} is not finite (${listed('lane', lanes)}); its gradient is, and training goes on.`),
  evaluating: kind('info', { epoch: number }, ({ epoch }) => `Testing after epoch ${epoch}.`),
  epoch: kind('info', { epoch: number, epochs: number, trainLoss: loss, trainAccuracy: percent, testLoss: loss, testAccuracy: percent }, ({ epoch, epochs, ...figures }) =>
    `Epoch ${epoch} of ${epochs} is done: training loss ${figures.trainLoss}, accuracy ${figures.trainAccuracy}; test loss ${figures.testLoss}, accuracy ${figures.testAccuracy}.`),
  checkpoint: kind('info', { epoch: number, step: number }, ({ epoch, step }) => `Step ${step} of epoch ${epoch} is saved.`),
  checkpointFailed: kind('warning', { step: number, reason: text, retrySeconds: number }, ({ step, reason, retrySeconds }) => `Step ${step} cannot be saved: ${reason} The next try is in ${retrySeconds} s.`),
  checkpointDamaged: kind('warning', { reason: text }, ({ reason }) => `A checkpoint was passed over: ${reason}`),
  writeFailed: kind('warning', { reason: text }, ({ reason }) => reason),
  repaired: kind('info', { what: text }, ({ what }) => `After the crash of an earlier process: ${what}.`),
  stopped: kind('warning', { signal: text }, ({ signal }) => `The run was stopped by ${signal}; a checkpoint is saved.`),
  failed: kind('warning', { reason: text }, ({ reason }) => `The run failed: ${reason}`),
  finished: kind('info', { epochs: number, seconds: number }, ({ epochs, seconds }) => `The run has finished: ${counted(epochs, 'epoch')}, ${seconds.toFixed(0)} s of training.`),
}

/**
 * An event in words, live or as a line of events.jsonl has it. What a newer or older Herd noted and this one does not
 * know is called by its name.
 */
export function describeEvent(kind: string, fields: Readonly<Record<string, unknown>>): Words {
  const describe = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  return describe?.(fields) ?? { level: 'info', text: kind }
}
