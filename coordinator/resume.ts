import { loadCheckpoint, requireSameNetwork, type Checkpoint } from '../shared/checkpoint/checkpoint.ts'
import { CheckpointError, UsageError } from '../shared/kit/errors.ts'
import type { Network } from '../shared/model/network.ts'
import type { DamagedCheckpoint } from '../shared/run_folder/checkpoint_folder.ts'
import { RunFolder } from '../shared/run_folder/run_folder.ts'
import { coordinatorOptions, type CoordinatorOptions } from './options.ts'

/** Options that decide a run's result: a resumed run keeps those it began with. */
const decisive = ['model', 'init', 'imageSize', 'batch', 'lanes', 'lr', 'seed', 'precision', 'engine', 'threads', 'compress', 'compressWeights', 'testFraction'] as const

/** The checkpoint that --resume names, its file, and the damaged ones that would have been newer. */
export interface Resumption {
  file: string
  checkpoint: Checkpoint
  damaged: DamagedCheckpoint[]
}

/**
 * Loads the checkpoint to go on from: with `latest`, the newest sound one of the run.
 * @throws CheckpointError when there is none.
 */
export async function checkpointToResume(options: CoordinatorOptions): Promise<Resumption | undefined> {
  if (options.resume === undefined) return undefined
  if (options.resume !== 'latest') return { file: options.resume, checkpoint: await loadCheckpoint(options.resume), damaged: [] }
  const folder = await RunFolder.open(options.out ?? '', () => new Date())
  return folder.checkpoints.loadNewest()
}

/**
 * The options of a resumed run: what decides the result is taken from the checkpoint.
 * @param given names of options that the user gave
 * @throws UsageError when the user asks for another value than the run began with
 * @throws CheckpointError when the run began with a value that this version of Herd does not have
 */
export function resumedOptions(options: CoordinatorOptions, given: ReadonlySet<string>, checkpoint: Checkpoint, file: string): CoordinatorOptions {
  const resumed: Record<string, unknown> = { ...options }
  for (const key of decisive) {
    const begun = checkpoint.config[key]
    if (begun === undefined) continue
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    const { schema, expects } = coordinatorOptions[key]
    if (!schema.safeParse(begun).success) {
      throw new CheckpointError(`${file} was begun with --${name} ${String(begun)}, which this version of Herd does not have: expected ${expects}. Go on with the version that began it, or begin a new run.`)
    }
    // `--engine auto` is whatever the run began with.
    if (given.has(key) && options[key] !== begun && options[key] !== 'auto') {
      throw new UsageError(`--${name} ${String(options[key])}: the run of ${file} began with ${String(begun)}; leave the option out to resume it.`)
    }
    resumed[key] = begun
  }
  // Kept too, but free to change: a run that stopped at a gradient that is not finite can go on by leaving it out.
  if (!given.has('onNonfinite')) resumed['onNonfinite'] = checkpoint.config['onNonfinite'] ?? options.onNonfinite
  return resumed as CoordinatorOptions
}

/**
 * Checks that a checkpoint belongs to this network, these classes and this data set.
 * @throws CheckpointError naming the difference.
 */
export function requireSameRun(checkpoint: Checkpoint, network: Network, classes: readonly string[], datasetDigest: string, file: string): void {
  requireSameNetwork(checkpoint, network, classes, file)
  if (checkpoint.datasetDigest !== datasetDigest) {
    throw new CheckpointError(`${file} was trained on another data set: its digest is ${checkpoint.datasetDigest.slice(0, 12)}..., that of --data ${datasetDigest.slice(0, 12)}... Restore the images as they were.`)
  }
}
