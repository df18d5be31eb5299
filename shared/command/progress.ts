import { Presets, SingleBar } from 'cli-progress'
import type { Log } from '../log.ts'

/** Shows how far a piece of work is. */
export interface Progress {
  update(done: number, total: number): void
  /** Ends it, done or not. */
  end(): void
}

/** What is over in a moment needs no bar, and what is over soon no line about it. */
const BAR_AFTER_MS = 500
const LINE_AFTER_MS = 2000

/**
 * A progress bar; where the output is no terminal, one line in the log when it has ended.
 * @param live whether to draw the bar: `output` is a terminal and the user has not asked for quiet.
 * @param what is done, e.g. "checking images".
 */
export function startProgress(output: NodeJS.WriteStream, live: boolean, log: Log, what: string): Progress {
  const begun = performance.now()
  let bar: SingleBar | undefined
  let reached = 0
  return {
    update(done, total) {
      reached = done
      if (!live || performance.now() - begun < BAR_AFTER_MS) return
      if (bar === undefined) {
        bar = new SingleBar({ format: `${what} {bar} {value}/{total}  {eta_formatted} left`, stream: output, hideCursor: true, clearOnComplete: true, etaBuffer: 20 }, Presets.shades_classic)
        bar.start(total, done)
      }
      bar.update(done)
    },
    end() {
      bar?.stop()
      const elapsed = performance.now() - begun
      if (elapsed > LINE_AFTER_MS) log.info(`${what}: ${reached} in ${(elapsed / 1000).toFixed(0)} s.`)
    },
  }
}
