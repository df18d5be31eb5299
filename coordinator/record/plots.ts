import type { Confused } from '../../shared/evaluation/confusion.ts'
import { Paced } from '../../shared/kit/paced.ts'
import type { Drawing } from '../../shared/pictures/drawing.ts'
import { writePicture } from '../../shared/pictures/write_picture.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'

/** Shortest time between two drawings. Drawing takes half a second of CPU time, so not every short epoch is drawn. */
const SECONDS_BETWEEN_DRAWINGS = 10

export interface PlotsParts {
  folder: Pick<RunFolder, 'plotsFolder' | 'readHistory'>
  classes: readonly string[]
  /** Draws a picture as SVG. */
  draw: (drawing: Drawing) => Promise<string>
  /** Seconds on a monotonic clock. */
  now: () => number
}

/**
 * Plots of curves and confusion matrix in a run's folder, each as .svg and .png. They take the result of the test after each epoch that is in the
 * history, and draw after the first one, then every ten seconds at most, and when the run ends. A write error is
 * thrown as WriteError; the epoch is then drawn with the next one.
 */
export function plotsOf({ folder, classes, draw, now }: PlotsParts): Paced<Confused> {
  return new Paced({
    seconds: SECONDS_BETWEEN_DRAWINGS,
    now,
    handle: async ({ confusion, cells }) => {
      const history = await folder.readHistory()
      const drawings: Drawing[] = [{ picture: 'loss', history }, { picture: 'accuracy', history }, { picture: 'confusion', confused: { confusion, cells }, classNames: classes }]
      for (const drawing of drawings) await writePicture(folder.plotsFolder, drawing.picture, await draw(drawing))
    },
  })
}
