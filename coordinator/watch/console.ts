import { progressPlace, startProgress, type Progress } from '../../shared/command/progress.ts'
import type { Log } from '../../shared/kit/log.ts'
import type { LogOptions } from '../../shared/kit/log_options.ts'
import { lineOf } from './event_lines.ts'
import type { Observer } from '../contract/events.ts'

export interface Console {
  observe: Observer
  /** A progress bar, or lines where the output is no terminal. */
  progress(what: string): Progress
  /** A line of the result; machines get it as a record with these fields. */
  print(line: string, fields?: Readonly<Record<string, unknown>>): void
}

/**
 * What a person sees of a run on the terminal: bars for what goes on, and one line for each epoch. With --log-format json
 * all of it, results too, is records in the log.
 */
export function createConsole(output: NodeJS.WriteStream, log: Log, options: Pick<LogOptions, 'quiet' | 'logFormat'>): Console {
  const { quiet, logFormat } = options
  const place = progressPlace(output, log, options)
  const print: Console['print'] = (line, fields = {}) => {
    if (logFormat === 'pretty') {
      if (!quiet) output.write(`${line}\n`)
    } else if (line !== '') log.info(fields, line.trim())
  }
  const bars = runningBars((what) => startProgress(place, what, { endTold: true }))
  const observe: Observer = (event) => {
    bars(event)
    const line = lineOf(event)
    if (line === undefined) return
    const { type, ...fields } = event
    if (line.kind === 'result') print(line.text, { event: type, ...fields })
    else log[line.kind]({ event: type, ...fields }, line.text)
  }
  return { observe, progress: (what) => startProgress(place, what), print }
}

/** The bar of the epoch in progress, and then that of its evaluation, if it does not go on beside the next one. */
function runningBars(start: (what: string) => Progress): Observer {
  let bar: Progress | undefined
  let beside = false
  let epoch = 0
  let lossSum = 0
  let steps = 0
  const end = (): void => {
    bar?.end()
    bar = undefined
  }
  return (event) => {
    switch (event.type) {
      case 'step':
        if (event.epoch !== epoch) {
          end()
          ;[epoch, lossSum, steps] = [event.epoch, 0, 0]
        }
        lossSum += event.loss
        steps++
        bar ??= start(`epoch ${event.epoch}`)
        bar.update(event.stepInEpoch + 1, event.stepsPerEpoch, `${(event.samples / event.seconds).toFixed(1)} images/s, loss ${(lossSum / steps).toFixed(4)}`)
        break
      case 'evaluating':
        end()
        beside = event.beside
        if (!beside) bar = start('testing')
        break
      case 'testing':
        if (!beside) bar?.update(event.done, event.total)
        break
      // Its line takes the bar's place; the bar of the next epoch, which may have begun, comes again with its next step.
      case 'epoch':
      case 'stopped':
      case 'finished':
      case 'failed':
        end()
        break
      default:
    }
  }
}
