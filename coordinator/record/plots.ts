import type { RunFolder } from '../../shared/run_folder/run_folder.ts'

/** Drawing takes the processor half a second: of epochs that are shorter than this, not each is drawn. */
const SECONDS_BETWEEN_DRAWINGS = 10

export interface PlotsParts {
  folder: Pick<RunFolder, 'writeCurves' | 'writeConfusion'>
  classes: readonly string[]
  /** Seconds on a clock that only goes forward. */
  now: () => number
}

/** Curves and the confusion matrix in a run's folder: drawn after the first epoch, then every ten seconds at most, and when the run ends. */
export class Plots {
  readonly #parts: PlotsParts
  #drawnAt = Number.NEGATIVE_INFINITY
  /** Confusion matrix of the last epoch, where it has not been drawn. */
  #waiting: readonly (readonly number[])[] | undefined

  constructor(parts: PlotsParts) {
    this.#parts = parts
  }

  /** Takes an epoch that is in the history, and draws when it is time. @throws WriteError where the disk refuses; it is drawn with the next epoch then. */
  async take(confusion: readonly (readonly number[])[]): Promise<void> {
    this.#waiting = confusion
    if (this.#parts.now() - this.#drawnAt >= SECONDS_BETWEEN_DRAWINGS) await this.drawRest()
  }

  /** Draws the last epoch, if that has not been done. @throws WriteError where the disk refuses. */
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
