import { stat } from 'node:fs/promises'
import type { Calibration } from '../../shared/evaluation/calibration.ts'
import type { Found } from '../../shared/evaluation/doubts.ts'
import { RunError } from '../../shared/kit/errors.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { RunConfig, ShownPrediction } from '../../shared/run_folder/schemas.ts'
import { RunFolderView } from '../run_folder_view.ts'
import type { RunView } from '../view.ts'

/** A test image whose label is likely wrong. */
export interface ShownDoubt extends ShownPrediction {
  /** Probability of the class that the image is labelled as. */
  labelProbability: number
}

/** What is known of single test images and their probabilities; nothing of it is in the run's other files. */
export interface TestDetails {
  calibration: Calibration
  /** Wrong predictions, the surest ones first. */
  mistakes: Found<ShownPrediction>
  /** Likely wrong labels; undefined if the probabilities of labels are not known, as at the end of a run. */
  doubts: Found<ShownDoubt> | undefined
}

/** All that a report shows of a run. */
export interface Reported {
  view: Pick<RunView, 'facts' | 'state' | 'startedAt' | 'history' | 'evaluation' | 'events' | 'summary'>
  config: RunConfig
  /** True if the run notes digests of its steps, and if provenance.json is signed. */
  isNoted: boolean
  isSigned: boolean
  /** Undefined if no test image has been evaluated for the report. */
  details: TestDetails | undefined
  /** What the details and the evaluation are of, as a sentence; undefined: of the run's last evaluation. */
  measured: string | undefined
}

/**
 * Reads a run's folder for its report.
 * @param events false: what happened is not read, of which there may be millions of lines
 * @throws RunError if the history, or what happened, is damaged
 */
export async function readReported(folder: RunFolder, now: Date, { events }: { events: boolean }): Promise<Reported> {
  const [view, config, isNoted, isSigned] = await Promise.all([new RunFolderView(folder, { events }).read(now), configOf(folder), exists(folder.digestsFile), exists(folder.signatureFile)])
  return { view, config, isNoted, isSigned, details: undefined, measured: undefined }
}

/** Returns nothing if config.json is missing or damaged: the report then lacks what it says. */
async function configOf(folder: RunFolder): Promise<RunConfig> {
  try {
    return await folder.readConfig()
  } catch (error) {
    if (error instanceof RunError) return {}
    throw error
  }
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(() => true, () => false)
}
