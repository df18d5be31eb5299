import { Presets, SingleBar } from 'cli-progress'
import type { Log } from '../kit/log.ts'
import type { LogOptions } from '../kit/log_options.ts'

/** Shows how far a piece of work is. */
export interface Progress {
  /** @param more what else is known now, e.g. "31.2 images/s" */
  update(done: number, total: number, more?: string): void
  /** Ends it, done or not. */
  end(): void
}

/** Where progress is shown. */
export interface ProgressPlace {
  output: NodeJS.WriteStream
  /** Whether to draw a bar. */
  live: boolean
  log: Log
  /** Milliseconds on a clock that only goes forward. */
  now?: () => number
}

/** Bars go on terminals, where the user wants neither quiet nor records. */
export function progressPlace(output: NodeJS.WriteStream, log: Log, { quiet, logFormat }: Pick<LogOptions, 'quiet' | 'logFormat'>): ProgressPlace {
  return { output, log, live: output.isTTY && !quiet && logFormat === 'pretty' }
}

/** What is over in a moment needs no bar, and what is over soon no line about it. */
const BAR_AFTER_MS = 500
const LINE_AFTER_MS = 2000
/** Lines about work that goes on come no closer together. */
const LINE_EVERY_MS = 10_000

/**
 * A progress bar; where the output is no terminal, a line in the log now and then. One more tells the end.
 * @param what is done, e.g. "checking images".
 * @param endTold the end is told by somebody else
 */
export function startProgress({ output, live, log, now = () => performance.now() }: ProgressPlace, what: string, { endTold = false } = {}): Progress {
  const begun = now()
  let toldAt = begun
  let bar: SingleBar | undefined
  let reached = 0
  /** Of a piece of work that somebody has begun before. */
  let first: number | undefined

  return {
    update(done, total, more = '') {
      reached = done
      first ??= done
      if (live) {
        if (now() - begun < BAR_AFTER_MS) return
        bar ??= startBar(output, what, done, total)
        bar.update(done, { more: more === '' ? '' : `  ${more}` })
      } else if (now() - toldAt >= LINE_EVERY_MS) {
        toldAt = now()
        const left = done > first && done < total ? [`${inWords(((now() - begun) / (done - first)) * (total - done))} left`] : []
        log.info({ progress: what, done, total }, `${[`${what}: ${done} of ${total}`, ...(more === '' ? [] : [more]), ...left].join(', ')}.`)
      }
    },
    end() {
      bar?.stop()
      const elapsed = now() - begun
      if (!endTold && elapsed > LINE_AFTER_MS) log.info({ progress: what, done: reached, seconds: elapsed / 1000 }, `${what}: ${reached} in ${inWords(elapsed)}.`)
    },
  }
}

function startBar(output: NodeJS.WriteStream, what: string, done: number, total: number): SingleBar {
  const format = `${what} {bar} {value}/{total}{more}{eta_formatted}`
  const bar = new SingleBar({ format, formatTime: timeLeft, stream: output, hideCursor: true, clearOnComplete: true, etaBuffer: 20 }, Presets.shades_classic)
  bar.start(total, done, { more: '' })
  return bar
}

/** @param seconds which the bar has estimated; no number where it cannot yet, and nothing is said */
function timeLeft(seconds: number | string): string {
  return typeof seconds === 'number' ? `  ${inWords(seconds * 1000)} left` : ''
}

function inWords(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`
}
