import { stat } from 'node:fs/promises'
import { detailsOf } from '../../live/report/details.ts'
import { reportPage } from '../../live/report/report.ts'
import { readReported } from '../../live/report/reported.ts'
import type { OpenedDataset } from '../../shared/data/dataset.ts'
import type { TestPrediction } from '../../shared/evaluation/score.ts'
import type { Drawing } from '../../shared/pictures/drawing.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { Summary } from '../../shared/run_folder/schemas.ts'

/** Largest events.jsonl that is read at a run's end: a fifth of a second. One with all steps (--step-events) is larger, and `herd report` reads it. */
const MOST_EVENT_BYTES = 16 * 2 ** 20

export interface ReportParts extends OpenedDataset {
  folder: RunFolder
  /** Draws a picture as SVG. */
  draw: (drawing: Drawing) => Promise<string>
}

/**
 * Writes the report of a run that has finished, from its files and its last predictions: nothing is computed by the network.
 * @throws WriteError if the disk refuses; DataError if an image cannot be read; RunError if a file of the run is damaged
 */
export async function writeReport({ folder, draw, ...opened }: ReportParts, summary: Summary, predictions: readonly TestPrediction[]): Promise<void> {
  const { size } = await stat(folder.eventsFile).catch(() => ({ size: 0 }))
  const now = folder.time()
  const reported = await readReported(folder, now, { events: size <= MOST_EVENT_BYTES })
  // The event of the end comes when all is written.
  const view = { ...reported.view, state: 'finished' as const, summary }
  await folder.writeReport(await reportPage({ ...reported, view, details: await detailsOf(predictions, opened) }, draw, now))
}
