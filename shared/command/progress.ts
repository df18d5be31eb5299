import { Presets, SingleBar } from 'cli-progress'
import type { Log } from '../kit/log.ts'
import type { LogOptions } from '../kit/log_options.ts'

/** A display of how far a piece of work has come. */
export interface Progress {
  /** Shows a new state. @param more further text, e.g. "31.2 images/s" */
  update(done: number, total: number, more?: string): void
  /** Takes a bar away until the next update, so that lines can be written in its place. */
  pause(): void
  /** Ends the display, whether or not the work is done. */
  end(): void
}

/** The output and the log, one of which shows progress. */
export interface ProgressPlace {
  output: NodeJS.WriteStream
  /** True to draw a bar on `output`, false to write lines to `log`. */
  live: boolean
  log: Log
  /** Milliseconds on a clock that only goes forward. */
  now?: () => number
}

/** Decides whether progress is a bar: only on a terminal, and if the user has asked neither for quiet nor for JSON records. */
export function progressPlace(output: NodeJS.WriteStream, log: Log, { quiet, logFormat }: Pick<LogOptions, 'quiet' | 'logFormat'>): ProgressPlace {
  return { output, log, live: output.isTTY && !quiet && logFormat === 'pretty' }
}

/** Work that is over within this time gets no bar. */
const BAR_AFTER_MS = 500
/** Work that is over within this time gets no log line about its end. */
const LINE_AFTER_MS = 2000
/** Least time between two log lines about work that is going on. */
const LINE_EVERY_MS = 10_000

/**
 * Shows the progress of a piece of work by a bar or, where none can be drawn, by a log line now and then. If the work takes a while, another
 * log line reports its end.
 * @param what name of the work, e.g. "checking images".
 * @param endTold true if the caller reports the end itself
 */
export function startProgress({ output, live, log, now = () => performance.now() }: ProgressPlace, what: string, { endTold = false } = {}): Progress {
  const begun = now()
  let toldAt = begun
  let bar: SingleBar | undefined
  let reached = 0
  /** Value of `done` at the first update: not 0 if the work had been begun before. The time left is estimated from there. */
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
    pause() {
      bar?.stop()
      bar = undefined
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

/** Formats the bar's estimate of the time left. @param seconds text while the bar cannot estimate yet; the result is empty then */
function timeLeft(seconds: number | string): string {
  return typeof seconds === 'number' ? `  ${inWords(seconds * 1000)} left` : ''
}

function inWords(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`
}
