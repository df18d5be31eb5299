import { Presets, SingleBar } from 'cli-progress'
import { startProgress, type Progress } from '../shared/command/progress.ts'
import type { Log } from '../shared/log.ts'
import type { Observer } from './events.ts'
import { whatIsNotFinite } from './training.ts'

export interface Console {
  observe: Observer
  /** A progress bar, or lines where the output is no terminal. */
  progress(what: string): Progress
  print(line: string): void
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

/** What a person sees of a run on the terminal: a bar for the epoch in progress, and one line for each epoch. */
export function createConsole(output: NodeJS.WriteStream, log: Log, quiet: boolean): Console {
  const live = output.isTTY && !quiet
  const print = (line: string): void => {
    if (!quiet) output.write(`${line}\n`)
  }
  const barOf = (format: string): SingleBar => new SingleBar({ format, stream: output, hideCursor: true, clearOnComplete: true, etaBuffer: 20 }, Presets.shades_classic)
  let epochBar: SingleBar | undefined
  let lossSum = 0

  const endBar = (): void => {
    epochBar?.stop()
    epochBar = undefined
  }

  const observe: Observer = (event) => {
    switch (event.type) {
      case 'started':
        print(`Training on ${event.images} images of ${event.classes.length} classes, testing on ${event.testImages}; ${event.parameters.toLocaleString('en')} parameters.`)
        break
      case 'listening':
        log.info(`waiting for workers at ${event.address}`)
        break
      case 'resumed':
        print(`Going on from ${event.file}: epoch ${event.epoch}, step ${event.step}.`)
        break
      case 'imageSkipped':
        log.warn(`${event.path} is left out: ${event.reason}`)
        break
      case 'workerJoined':
        log.info(`worker ${event.worker} joined (${event.engine}, ${event.device}); ${event.workers} in.`)
        break
      case 'workerLost':
        log.warn(`worker ${event.worker} is lost: ${event.reason}; ${event.workers} left.`)
        break
      case 'workerLeft':
        log.info(`worker ${event.worker} has left; ${event.workers} in.`)
        break
      case 'waiting':
        log.warn('no worker is left; waiting for one to join.')
        break
      case 'goingOn':
        log.info(`going on after ${event.waitedSeconds.toFixed(0)} s of waiting.`)
        break
      case 'dealtAgain':
        log.info(`lanes ${event.units.join(', ')} of step ${event.step + 1} are dealt again, to ${event.worker}.`)
        break
      case 'takenOver':
        log.debug(`lanes ${event.units.join(', ')} of step ${event.step + 1} are taken over by ${event.worker}, which is expected to be sooner.`)
        break
      case 'fingerprintsDiffer':
        log.warn(`workers compute different bits (numerics fingerprints: ${Object.entries(event.fingerprints).map(([worker, print]) => `${worker} ${print}`).join(', ')}): the result depends on who computes what.`)
        break
      case 'dropped':
        log.debug(`a result of ${event.worker} is dropped: ${event.reason}.`)
        break
      case 'step':
        if (event.stepInEpoch === 0) lossSum = 0
        lossSum += event.loss
        if (!live) break
        if (epochBar === undefined) {
          epochBar = barOf(`epoch ${event.epoch} {bar} {value}/{total} steps  {speed} images/s  {left}  loss {loss}`)
          epochBar.start(event.stepsPerEpoch, event.stepInEpoch, { speed: '-', left: '', loss: '-' })
        }
        epochBar.update(event.stepInEpoch + 1, {
          speed: (event.samples / event.seconds).toFixed(1),
          left: `${Math.round((event.stepsPerEpoch - event.stepInEpoch - 1) * event.seconds)} s left`,
          loss: (lossSum / (event.stepInEpoch + 1)).toFixed(4),
        })
        break
      case 'gradientNotFinite':
        if (event.action === 'skip') log.warn(`step ${event.step} is left out: ${whatIsNotFinite(event.lanes, event.parameter)}.`)
        break
      case 'lossNotFinite':
        log.warn(`the loss of step ${event.step} is not finite (lane${event.lanes.length === 1 ? '' : 's'} ${event.lanes.join(', ')}); its gradient is, and training goes on.`)
        break
      case 'evaluating':
        endBar()
        break
      case 'epoch':
        print(
          [
            `epoch ${String(event.epoch).padStart(String(event.epochs).length)}/${event.epochs}`,
            `train loss ${event.trainLoss.toFixed(4)} accuracy ${percent(event.trainAccuracy)}`,
            `test loss ${event.testLoss.toFixed(4)} accuracy ${percent(event.testAccuracy)}`,
            `${event.imagesPerSecond.toFixed(1)} images/s`,
            `${event.seconds.toFixed(0)} s`,
          ].join('  '),
        )
        break
      case 'stopped':
      case 'finished':
        endBar()
        break
      case 'checkpoint':
        log.debug(`saved step ${event.step} (epoch ${event.epoch}).`)
        break
      case 'checkpointFailed':
        log.warn(`step ${event.step} cannot be saved: ${event.reason} Training goes on; the next try is in ${event.retrySeconds} s.`)
        break
      case 'checkpointDamaged':
        log.warn(`passed over: ${event.reason}`)
        break
      case 'writeFailed':
        log.warn(`${event.reason} Training goes on; this is said once.`)
        break
      case 'repaired':
        log.info(`after the crash of an earlier process: ${event.what}.`)
        break
    }
  }

  return { observe, progress: (what) => startProgress(output, live, log, what), print }
}
