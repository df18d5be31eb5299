import type { Confused } from '../../shared/evaluation/confusion.ts'
import { Paced } from '../../shared/kit/paced.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'

/** Shortest time between two drawings. Drawing takes half a second of CPU time, so not every short epoch is drawn. */
const SECONDS_BETWEEN_DRAWINGS = 10

export interface PlotsParts {
  folder: Pick<RunFolder, 'writeCurves' | 'writeConfusion'>
  classes: readonly string[]
  /** Seconds on a monotonic clock. */
  now: () => number
}

/**
 * Plots of curves and confusion matrix in a run's folder. They take the result of the test after each epoch that is in the
 * history, and draw after the first one, then every ten seconds at most, and when the run ends. A write error is
 * thrown as WriteError; the epoch is then drawn with the next one.
 */
export function plotsOf({ folder, classes, now }: PlotsParts): Paced<Confused> {
  return new Paced({
    seconds: SECONDS_BETWEEN_DRAWINGS,
    now,
    handle: async (confused) => {
      await folder.writeCurves()
      await folder.writeConfusion(confused, classes)
    },
  })
}
