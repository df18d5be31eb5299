import { choosePrecision, measurePrecision } from '../shared/compute/precision.ts'
import { normalisationOf, normalisationProblem, withNormalisation } from '../shared/data/transforms/transforms.ts'
import { UsageError } from '../shared/kit/errors.ts'
import { openDataset, type Dataset, type OpenedDataset } from '../shared/data/dataset.ts'
import type { ImageSource } from '../shared/data/sources/image_source.ts'
import { resolveEngine } from '../shared/engine/create.ts'
import type { EngineKind } from '../shared/engine/engine.ts'
import { cacheFolder } from '../shared/kit/paths.ts'
import type { Log } from '../shared/kit/log.ts'
import { Schedule } from '../shared/lanes/sample_schedule.ts'
import { frozenOf, thawed, trainedOf, withFrozen } from '../shared/model/frozen.ts'
import { initSchema } from '../shared/model/initial.ts'
import { layoutOf, type Layout } from '../shared/model/layout.ts'
import { networkLossOf } from '../shared/model/loss.ts'
import { buildNetwork } from '../shared/model/models.ts'
import type { Network } from '../shared/model/network.ts'
import { optimizerStateOf } from '../shared/checkpoint/checkpoint.ts'
import { withGroupRates } from '../shared/optim/group_rates.ts'
import { freshState, type Optimizer, type OptimizerState } from '../shared/optim/optimizer.ts'
import { optimizerOf } from '../shared/optim/optimizers.ts'
import { scheduleOver } from '../shared/optim/schedule.ts'
import { missingGlyphsNotice } from '../shared/pictures/missing_glyphs.ts'
import { recipeOf, resumedRecipe } from '../shared/recipe/recipe.ts'
import { recipeOfCheckpoint } from '../shared/recipe/stored.ts'
import type { Recipe } from '../shared/recipe/table.ts'
import { beginningOf } from './init.ts'
import { beginning, type Progress } from './contract/progress.ts'
import type { CoordinatorOptions, RunOptions } from './options.ts'
import { progressOf } from './record/checkpoint_position.ts'
import { checkpointToResume, requireSameRun, type Resumption } from './resume.ts'
import type { Console } from './watch/console.ts'

/** A run that is ready to begin: options, data, network and checkpoint have been checked. */
export interface PreparedRun {
  options: RunOptions
  recipe: Recipe
  data: string
  dataset: Dataset
  source: ImageSource
  network: Network
  /** Layout of the vector that is exchanged and stepped. */
  layout: Layout
  optimizer: Optimizer
  schedule: Schedule
  resume: Resumption | undefined
  /** Position at which the run begins or resumes. */
  progress: Progress
  /** Initial weights and optimizer moments of what is trained. */
  start: OptimizerState
  /** Parameters that keep their values; empty if all are trained. */
  frozen: Float32Array
  /** Measurement that decided `--precision auto`, for config.json; empty if the user chose the precision. */
  measured: { precisionMeasured?: { ratio: number | null; reason: string } }
}

/**
 * Prepares a run: reads data and checkpoint, and decides what the options leave open. It opens no port and does not create the run's folder.
 * @param given names of the options that the user set
 * @param surroundings.signal ends the check of the images
 * @throws UsageError, DataError, CheckpointError or EngineError if the run cannot begin; the reason of `signal`
 */
export async function prepareRun(asked: CoordinatorOptions, given: ReadonlySet<string>, { log, console, signal }: { log: Log; console: Console; signal: AbortSignal }): Promise<PreparedRun> {
  const resume = await checkpointToResume(asked)
  const wanted = resume === undefined ? asked : { ...asked, ...resumedRecipe(recipeOf(asked), given, recipeOfCheckpoint(resume.checkpoint.config, resume.file), resume.file) }
  const { engine, notice } = resolveEngine(wanted.engine, wanted.precision === 'auto' ? 'f32' : wanted.precision, wanted.gpu)
  if (notice !== undefined) log.warn(notice)

  const data = wanted.data ?? ''
  const { dataset, source } = await checkedData(data, wanted.testFraction, { log, console, signal })
  const missingGlyphs = wanted.pictures === 'on' ? await missingGlyphsNotice(dataset.classes) : undefined
  if (missingGlyphs !== undefined) log.warn(missingGlyphs)
  const network = networkOf(wanted, dataset)
  const layout = withGroupRates(layoutOf(network), network, wanted)
  if (resume !== undefined) requireSameRun(resume.checkpoint, network, dataset.classes, dataset.digest, resume.file)

  const { precision, measured } = await decidedPrecision(wanted, engine, log)
  // A run that goes on needs no file that it began with: its weights are in the checkpoint.
  const begun = resume === undefined ? await beginningOf(wanted.init, wanted.seed, thawed(network)) : { init: initSchema.parse(wanted.init), parameters: resume.checkpoint.parameters, notices: [] }
  for (const notice of begun.notices) log.info(notice)
  const recipe: Recipe = {
    ...recipeOf(wanted), engine, precision, init: begun.init,
    augmentation: withNormalisation(wanted.augmentation, network), evaluation: withNormalisation(wanted.evaluation, network), schedule: scheduleOver(wanted.schedule, wanted.epochs),
  }
  const schedule = new Schedule({ ...recipe, ...dataset })
  const progress = resume === undefined ? beginning : progressOf(resume.checkpoint, schedule.stepsPerEpoch)
  const optimizer = optimizerOf(recipe.optimizer)
  const start = resume === undefined
    ? { ...freshState(optimizer, layout.size), parameters: trainedOf(network, begun.parameters) }
    : optimizerStateOf(resume.checkpoint, optimizer, resume.file)
  return { options: { ...wanted, ...recipe }, recipe, data, dataset, source, network, layout, optimizer, schedule, resume, progress, start, frozen: frozenOf(network, begun.parameters), measured }
}

/** Builds the network, with what is frozen of it. @throws UsageError if --freeze names nothing or everything; if augmentation and evaluation do not normalise images with the network's own mean and std */
export function networkOf(
  { model, imageSize, imageSizes, freeze, loss, mix, labelSmoothing, augmentation, evaluation }: Pick<CoordinatorOptions, 'model' | 'imageSize' | 'imageSizes' | 'freeze' | 'loss' | 'mix' | 'labelSmoothing' | 'augmentation' | 'evaluation'>,
  { classes, samples, train }: Pick<Dataset, 'classes' | 'samples' | 'train'>,
): Network {
  const images = classes.map(() => 0)
  for (const id of train) images[samples.classOf(id)]++
  const network = buildNetwork(model, { imageSize, classes: classes.length }, { labelSmoothing, imageSizes, loss: networkLossOf(loss, images, mix), normalisation: normalisationOf(augmentation) })
  const problem = normalisationProblem({ augmentation: withNormalisation(augmentation, network), evaluation: withNormalisation(evaluation, network) }, network)
  if (problem !== undefined) throw new UsageError(`--augmentation and --evaluation: ${problem}.`)
  return withFrozen(network, freeze)
}

async function checkedData(data: string, testFraction: number, { log, console, signal }: { log: Log; console: Console; signal: AbortSignal }): Promise<OpenedDataset> {
  const bar = console.progress('checking images')
  try {
    const opened = await openDataset(data, { testFraction, cacheFolder: cacheFolder(), warn: (message) => log.warn(message), onProgress: (done, total) => bar.update(done, total), signal })
    for (const notice of opened.dataset.notices) log.warn(notice)
    return opened
  } finally {
    bar.end()
  }
}

/** Resolves `--precision auto` by a measurement on this machine. */
async function decidedPrecision({ precision, numerics, threads, gpu, localWorkers, singleNode }: CoordinatorOptions, engine: EngineKind, log: Log): Promise<Pick<PreparedRun, 'measured'> & Pick<Recipe, 'precision'>> {
  if (precision !== 'auto') return { precision, measured: {} }
  const chosen = await choosePrecision({ engine, numerics }, () => measurePrecision({ threads, gpu }))
  const elsewhere = localWorkers === undefined && !singleNode && chosen.ratio !== undefined ? ' Workers of another kind may differ: then say --precision f32 or bf16.' : ''
  log.info(`--precision auto is ${chosen.precision}: ${chosen.reason}.${elsewhere}`)
  return { precision: chosen.precision, measured: { precisionMeasured: { ratio: chosen.ratio ?? null, reason: chosen.reason } } }
}
