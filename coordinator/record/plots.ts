import type { RunFolder } from '../../shared/run_folder/run_folder.ts'

/** Shortest time between two drawings. Drawing takes half a second of CPU time, so not every short epoch is drawn. */
const SECONDS_BETWEEN_DRAWINGS = 10

export interface PlotsParts {
  folder: Pick<RunFolder, 'writeCurves' | 'writeConfusion'>
  classes: readonly string[]
  /** Seconds on a monotonic clock. */
  now: () => number
}

/** Plots of curves and confusion matrix in a run's folder, drawn after the first epoch, then every ten seconds at most, and when the run ends. */
export class Plots {
  readonly #parts: PlotsParts
  #drawnAt = Number.NEGATIVE_INFINITY
  /** Confusion matrix of the last epoch, if it has not been drawn. */
  #waiting: readonly (readonly number[])[] | undefined

  constructor(parts: PlotsParts) {
    this.#parts = parts
  }

  /**
   * Takes the result of an epoch that is in the history, and draws if it is time.
   * @param confusion shape [true class][predicted class], numbers of test images
   * @throws WriteError if writing fails; the epoch is then drawn with the next one
   */
  async take(confusion: readonly (readonly number[])[]): Promise<void> {
    this.#waiting = confusion
    if (this.#parts.now() - this.#drawnAt >= SECONDS_BETWEEN_DRAWINGS) await this.drawRest()
  }

  /** Draws the last epoch, if it has not been drawn. @throws WriteError if writing fails */
  async drawRest(): Promise<void> {
    const { folder, classes, now } = this.#parts
    if (this.#waiting === undefined) return
    const confusion = this.#waiting
    await folder.writeCurves()
    await folder.writeConfusion(confusion, classes)
    this.#waiting = undefined
    this.#drawnAt = now()
  }
}
