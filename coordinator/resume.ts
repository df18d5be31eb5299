import { loadCheckpoint, requireSameNetwork, type Checkpoint } from '../shared/checkpoint/checkpoint.ts'
import { CheckpointError } from '../shared/kit/errors.ts'
import type { Network } from '../shared/model/network.ts'
import type { DamagedCheckpoint } from '../shared/run_folder/checkpoint_folder.ts'
import { RunFolder } from '../shared/run_folder/run_folder.ts'
import type { CoordinatorOptions } from './options.ts'

/** The checkpoint to resume from, its file, and the damaged checkpoints that would have been newer. */
export interface Resumption {
  file: string
  checkpoint: Checkpoint
  damaged: DamagedCheckpoint[]
}

/**
 * Loads the checkpoint that --resume names; for `latest`, the newest intact one of the run.
 * @returns undefined without --resume
 * @throws CheckpointError if there is none; UsageError if --out has no run
 */
export async function checkpointToResume(options: CoordinatorOptions): Promise<Resumption | undefined> {
  if (options.resume === undefined) return undefined
  if (options.resume !== 'latest') return { file: options.resume, checkpoint: await loadCheckpoint(options.resume), damaged: [] }
  const folder = await RunFolder.open(options.out ?? '', () => new Date())
  return folder.checkpoints.loadNewest()
}

/**
 * Checks that a checkpoint belongs to this network, these classes and this data set.
 * @throws CheckpointError that names the difference
 */
export function requireSameRun(checkpoint: Checkpoint, network: Network, classes: readonly string[], datasetDigest: string, file: string): void {
  requireSameNetwork(checkpoint, network, classes, file)
  if (checkpoint.datasetDigest !== datasetDigest) {
    throw new CheckpointError(`${file} was trained on another data set: its digest is ${checkpoint.datasetDigest.slice(0, 12)}..., that of --data ${datasetDigest.slice(0, 12)}... Restore the images as they were.`)
  }
}
