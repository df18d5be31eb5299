import { progressPlace, startProgress, type Progress } from '../../shared/command/progress.ts'
import type { Log } from '../../shared/kit/log.ts'
import type { LogOptions } from '../../shared/kit/log_options.ts'
import { lineOf } from './event_lines.ts'
import type { Observer } from '../contract/events.ts'

export interface Console {
  observe: Observer
  /** Starts a progress bar; if the output is not a terminal, lines in the log. */
  progress(what: string): Progress
  /** Prints a line of output; with --log-format json, a record with these fields instead. */
  print(line: string, fields?: Readonly<Record<string, unknown>>): void
}

/**
 * Creates the terminal's view of a run: progress bars, and one line per epoch. With --log-format json everything, results
 * included, becomes records in the log.
 */
export function createConsole(output: NodeJS.WriteStream, log: Log, options: Pick<LogOptions, 'quiet' | 'logFormat'>): Console {
  const { logFormat } = options
  let { quiet } = options
  // The reader of a pipe may end, a terminal be closed, a disk be full: what is printed is lost, and training is not.
  output.on('error', (error: Error) => {
    if (!quiet) log.warn(`standard output cannot be written: ${error.message}. Training goes on; events.jsonl has what is not printed.`)
    quiet = true
  })
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

/** Shows a bar for the epoch in progress, then one for its evaluation, unless the next epoch is trained meanwhile. */
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
      // The event's line replaces the bar. If the next epoch has begun, its next step starts its bar again.
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
