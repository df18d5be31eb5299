import type { RunEvent } from '../contract/events.ts'
import { whatIsNotFinite } from '../contract/interruptions.ts'

/** What a person is told of an event. */
export interface EventLine {
  /** Results are what the user has started the program for; the others are levels of the log. */
  kind: 'result' | 'debug' | 'info' | 'warn'
  text: string
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

/** @returns undefined where a line is not worth it: bars, plots and the folder have these. */
export function lineOf(event: RunEvent): EventLine | undefined {
  const line = (kind: EventLine['kind'], text: string): EventLine => ({ kind, text })
  switch (event.type) {
    case 'started':
      return line('result', `Training on ${event.images} images of ${event.classes.length} classes, testing on ${event.testImages}; ${event.parameters.toLocaleString('en')} parameters.`)
    case 'listening':
      return line('info', `waiting for workers at ${event.address}`)
    case 'waitingForReducers':
      return line('info', `waiting for ${event.reducers} reducers at ${event.address}`)
    case 'reducerJoined':
      return line('info', `reducer ${event.reducer} joined at ${event.address}; it owns parameters ${event.begin} to ${event.end - 1}.`)
    case 'reducerLost':
      return line('warn', `reducer ${event.reducer} is lost: ${event.reason}.`)
    case 'resumed':
      return line('result', `Going on from ${event.file}: epoch ${event.epoch}, step ${event.step}.`)
    case 'imageSkipped':
      return line('warn', `${event.path} is left out: ${event.reason}`)
    case 'workerJoined':
      return line('info', `worker ${event.worker} joined (${event.engine}, ${event.device}); ${event.workers} in.`)
    case 'workerLost':
      return line('warn', `worker ${event.worker} is lost: ${event.reason}; ${event.workers} left.`)
    case 'workerLeft':
      return line('info', `worker ${event.worker} has left; ${event.workers} in.`)
    case 'waiting':
      return line('warn', 'no worker is left; waiting for one to join.')
    case 'goingOn':
      return line('info', `going on after ${event.waitedSeconds.toFixed(0)} s of waiting.`)
    case 'dealtAgain':
      return line('info', `lanes ${event.units.join(', ')} of step ${event.step + 1} are dealt again, to ${event.worker}.`)
    case 'takenOver':
      return line('debug', `lanes ${event.units.join(', ')} of step ${event.step + 1} are taken over by ${event.worker}, which is expected to be sooner.`)
    case 'fingerprintsDiffer':
      return line('warn', `workers compute different bits (numerics fingerprints: ${Object.entries(event.fingerprints).map(([worker, print]) => `${worker} ${print}`).join(', ')}): the result depends on who computes what.`)
    case 'dropped':
      return line('debug', `a result of ${event.worker} is dropped: ${event.reason}.`)
    case 'gradientNotFinite':
      return event.action === 'skip' ? line('warn', `step ${event.step} is left out: ${whatIsNotFinite(event.lanes, event.parameter)}.`) : undefined
    case 'lossNotFinite':
      return line('warn', `the loss of step ${event.step} is not finite (lane${event.lanes.length === 1 ? '' : 's'} ${event.lanes.join(', ')}); its gradient is, and training goes on.`)
    case 'epoch':
      return line('result', [
        `epoch ${String(event.epoch).padStart(String(event.epochs).length)}/${event.epochs}`,
        `train loss ${event.trainLoss.toFixed(4)} accuracy ${percent(event.trainAccuracy)}`,
        `test loss ${event.testLoss.toFixed(4)} accuracy ${percent(event.testAccuracy)}`,
        `${event.imagesPerSecond.toFixed(1)} images/s`,
        `${event.seconds.toFixed(0)} s`,
      ].join('  '))
    case 'checkpoint':
      return line('debug', `saved step ${event.step} (epoch ${event.epoch}).`)
    case 'checkpointFailed':
      return line('warn', `step ${event.step} cannot be saved: ${event.reason} Training goes on; the next try is in ${event.retrySeconds} s.`)
    case 'checkpointDamaged':
      return line('warn', `passed over: ${event.reason}`)
    case 'writeFailed':
      return line('warn', `${event.reason} Training goes on; this is said once.`)
    case 'repaired':
      return line('info', `after the crash of an earlier process: ${event.what}.`)
    default:
      return undefined
  }
}
