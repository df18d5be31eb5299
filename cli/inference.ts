import { z } from 'zod'
import { loadCheckpoint, type Checkpoint } from '../shared/checkpoint/checkpoint.ts'
import { transformListsOf } from '../shared/checkpoint/transform_lists.ts'
import { choice, optionalWhole, type OptionSpec, type OptionValues } from '../shared/command/options.ts'
import type { TransformLists } from '../shared/data/transforms/transforms.ts'
import type { Compute } from '../shared/compute/compute.ts'
import { startCompute } from '../shared/compute/start.ts'
import { resolveEngine, type EngineRequest } from '../shared/engine/create.ts'
import { numericsKinds, type EngineKind, type Numerics, type Precision } from '../shared/engine/engine.ts'
import { portableObstacle } from '../shared/engine/portable.ts'
import type { Log } from '../shared/kit/log.ts'
import type { LaneSettings } from '../shared/lanes/lane_stack.ts'
import { networkOfSize } from '../shared/model/image_sizes.ts'
import { knownRecipe } from '../shared/recipe/stored.ts'
import type { Recipe } from '../shared/recipe/table.ts'
import { require, requiredText } from './command.ts'

export const checkpointOption = requiredText('<file>', "Checkpoint of a run: checkpoints/latest.ckpt or epoch-....ckpt in the run's folder. Required.", 'a file')

const precisions = ['f32', 'bf16'] as const
const precision: OptionSpec<Precision | undefined> = {
  placeholder: '<f32|bf16>',
  description: "Arithmetic (default: the run's).",
  expects: 'one of f32, bf16',
  schema: z.enum(precisions).optional(),
  fallback: undefined,
}

const numerics: OptionSpec<Numerics | undefined> = {
  placeholder: '<native|portable>',
  description: "Choice of the native engine's kernels (default: the run's).",
  expects: 'one of native, portable',
  schema: z.enum(numericsKinds).optional(),
  fallback: undefined,
}

/** Options of the commands that compute: with what. */
export const computingOptions = {
  engine: choice('auto takes what the run computed with, or else what is installed.', ['auto', 'native', 'wasm'], 'auto'),
  precision,
  numerics,
  threads: optionalWhole('<count>', "Threads inside one operation (default: the run's).", { min: 1, max: 1024 }),
  gpu: optionalWhole('<index>', 'GPU to compute on.', { min: 0, max: 255 }),
}
export type ComputingOptions = OptionValues<typeof computingOptions>

/** Options of the commands that compute with a checkpoint. */
export const inferenceOptions = { checkpoint: checkpointOption, ...computingOptions }

/** Part of a run's recipe that decides how to compute. A checkpoint that no run has written may lack engine and testFraction. */
export type RunSettings = Pick<Partial<Recipe>, 'engine' | 'testFraction'> & Pick<Recipe, 'precision' | 'threads' | 'numerics'>

/** A trained network that is ready to compute, until its `compute` is closed. */
export interface TrainedModel {
  file: string
  checkpoint: Checkpoint
  run: RunSettings
  compute: Compute
  /** Transforms of the run that wrote the checkpoint. */
  transforms: TransformLists
}

/** Loads the checkpoint given by --checkpoint. @throws UsageError if the option is missing; CheckpointError if the file cannot be used. */
export async function openCheckpoint(file: string | undefined): Promise<{ file: string; checkpoint: Checkpoint }> {
  const path = require(file, 'checkpoint', 'a checkpoint of a run, e.g. --checkpoint runs/first/checkpoints/latest.ckpt.')
  return { file: path, checkpoint: await loadCheckpoint(path) }
}

/** Share of the images that is the test split, where a checkpoint does not tell. */
export const DEFAULT_TEST_FRACTION = 0.2

/** The settings that a checkpoint records; precision, threads and numerics default to f32, 1 and native. */
export function settingsOf(checkpoint: Checkpoint): RunSettings {
  const { engine, testFraction, precision = 'f32', threads = 1, numerics = 'native' } = knownRecipe(checkpoint.config)
  return { ...(engine === undefined ? {} : { engine }), ...(testFraction === undefined ? {} : { testFraction }), precision, threads, numerics }
}

/** A trained network, and how it is computed. */
export interface PreparedModel {
  run: RunSettings
  transforms: TransformLists
  /** Engine and its settings: the same engine, precision, threads and numerics compute the same bits as the run did. */
  request: EngineRequest
}

/** Neither a seed nor a compression matters where no gradient is computed. */
export const WITHOUT_GRADIENTS: LaneSettings = { seed: 0, compress: 'none' }

/**
 * Decides how a checkpoint's network is computed: as its run did, unless the options say otherwise.
 * @throws EngineError if the engine is not installed or cannot do what is asked; CheckpointError if a transform is unknown.
 */
export function prepareModel({ checkpoint, file }: { file: string; checkpoint: Checkpoint }, options: ComputingOptions, log: Log): PreparedModel {
  const run = settingsOf(checkpoint)
  const transforms = transformListsOf(checkpoint, file)
  const precision = options.precision ?? run.precision
  const engine = chooseEngine(options, run, precision, log)
  const threads = options.threads ?? (engine === 'native' ? run.threads : 1)
  // An option that portable numerics cannot have asks for other bits than the run's.
  const numerics = options.numerics ?? (portableObstacle({ precision, threads, onGpu: options.gpu !== undefined }) === undefined ? run.numerics : 'native')
  return { run, transforms, request: { engine, precision, threads, numerics, gpu: options.gpu } }
}

/** Compiles a checkpoint's network as `prepareModel` decides. @throws as `prepareModel` does; EngineError if the engine cannot be loaded */
export async function openModel(opened: { file: string; checkpoint: Checkpoint }, options: ComputingOptions, log: Log): Promise<TrainedModel> {
  const { run, transforms, request } = prepareModel(opened, options, log)
  const { network } = opened.checkpoint
  const compute = await startCompute(networkOfSize(network, network.imageSize), WITHOUT_GRADIENTS, request, log)
  compute.setParameters(opened.checkpoint.parameters)
  log.debug(`${compute.info.version}, ${compute.info.device}, ${request.precision}, threads ${request.threads}`)
  return { ...opened, run, compute, transforms }
}

function chooseEngine(options: ComputingOptions, run: RunSettings, precision: Precision, log: Log): EngineKind {
  if (options.engine === 'auto' && run.engine === 'wasm' && precision === 'f32' && options.gpu === undefined) {
    log.info('wasm computes, as in the run; --engine native is faster where it is installed.')
    return 'wasm'
  }
  const { engine, notice } = resolveEngine(options.engine, precision, options.gpu)
  if (notice !== undefined) log.warn(notice)
  return engine
}
