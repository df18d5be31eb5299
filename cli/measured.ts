import { detailsWithDoubts } from '../live/report/details.ts'
import type { Reported } from '../live/report/reported.ts'
import type { Checkpoint } from '../shared/checkpoint/checkpoint.ts'
import type { OpenedDataset } from '../shared/data/dataset.ts'
import { evaluateBlock, type EvaluatedBlock } from '../shared/evaluation/blocks.ts'
import { labelProbabilities } from '../shared/evaluation/doubts.ts'
import { scoreTest } from '../shared/evaluation/score.ts'
import { CheckpointError, DataError, messageOf, RunError } from '../shared/kit/errors.ts'
import { knownRecipe } from '../shared/recipe/stored.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import type { RunConfig } from '../shared/run_folder/schemas.ts'
import { choosePredictions, showPredictions } from '../shared/run_folder/shown_predictions.ts'
import { checkImages } from './checked_images.ts'
import type { Notices } from './command.ts'
import { evaluatedBlocks } from './evaluated_blocks.ts'
import { DEFAULT_TEST_FRACTION, openModel, settingsOf, type ComputingOptions } from './inference.ts'
import { percent } from './output.ts'

export interface MeasureOptions extends ComputingOptions {
  /** Folder of the run's images; undefined: the one that the run had. */
  data: string | undefined
}

type Measured = Pick<Reported, 'details' | 'measured'> & { evaluation: NonNullable<Reported['view']['evaluation']> }

/**
 * Evaluates a run's last checkpoint on its test images, for a report.
 * @returns undefined if there is no checkpoint, or the images are no longer where the run had them: a notice then says what is missing
 * @throws DataError or UsageError if the folder that the user names is not that of the run's images; EngineError if it cannot be computed
 */
export async function measureRun(folder: RunFolder, config: RunConfig, options: MeasureOptions, notices: Notices): Promise<Measured | undefined> {
  try {
    const { file, checkpoint } = await newestOf(folder)
    const opened = await openImages(checkpoint, options.data ?? config['data'], notices)
    return await measure({ file, checkpoint }, opened, options, notices)
  } catch (error) {
    const isAsked = options.data !== undefined && !(error instanceof CheckpointError)
    if (isAsked || !(error instanceof CheckpointError || error instanceof DataError)) throw error
    notices.log.warn(`${messageOf(error)} The report has what the run's files tell.`)
    return undefined
  }
}

async function newestOf({ checkpoints, path }: RunFolder): Promise<{ file: string; checkpoint: Checkpoint }> {
  if (!(await checkpoints.hasAny())) throw new CheckpointError(`${path} has no checkpoint.`)
  return checkpoints.loadNewest()
}

/** @param named folder of the images, as the user or config.json names it */
async function openImages(checkpoint: Checkpoint, named: unknown, notices: Notices): Promise<OpenedDataset> {
  if (typeof named !== 'string') throw new DataError('config.json does not name the images: give their folder by --data.')
  const opened = await checkImages(named, settingsOf(checkpoint).testFraction ?? DEFAULT_TEST_FRACTION, notices)
  if (opened.dataset.digest !== checkpoint.datasetDigest) {
    throw new DataError(`The images in ${named} are not those of the run (digest ${opened.dataset.digest.slice(0, 12)}..., and ${checkpoint.datasetDigest.slice(0, 12)}...): give their folder by --data.`)
  }
  return opened
}

async function measure(saved: { file: string; checkpoint: Checkpoint }, opened: OpenedDataset, options: MeasureOptions, notices: Notices): Promise<Measured> {
  const { network, classes, position: { epoch, step }, config } = saved.checkpoint
  const { dataset, source } = opened
  const model = await openModel(saved, options, notices.log)
  const { version, device } = model.compute.info
  const blocks: EvaluatedBlock[] = []
  const ofLabels: number[][] = []
  for await (const { labels, logits } of evaluatedBlocks(model, opened, dataset.test, { flips: false }, notices)) {
    blocks.push(evaluateBlock(network, logits, labels))
    ofLabels.push(labelProbabilities(logits, labels, classes.length))
  }
  const { loss, accuracy, confusion, cells, predictions } = scoreTest(blocks, dataset.samples, dataset.test, classes.length)
  const labelled = ofLabels.flat()
  const shown = await showPredictions(choosePredictions(predictions, knownRecipe(config).seed ?? 0, epoch), dataset, source)
  return {
    evaluation: { epoch, classes, confusion, ...(cells === undefined ? {} : { cells }), predictions: shown },
    details: await detailsWithDoubts(predictions.map((prediction, index) => ({ ...prediction, labelProbability: labelled[index] })), opened),
    measured: `Evaluated for this page with the weights of step ${step} (epoch ${epoch}), by ${version} on ${device}: loss ${loss.toFixed(4)}, accuracy ${percent(accuracy)}.`,
  }
}

/** @throws RunError if there is nothing that a report could show */
export function requireSomething({ view: { history, evaluation, facts } }: Reported): void {
  if (history.length === 0 && evaluation === null) throw new RunError(`${facts.folder} has neither an epoch that has ended nor a checkpoint that can be evaluated: there is nothing to report yet.`)
}
