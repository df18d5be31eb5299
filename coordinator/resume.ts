import path from 'node:path'
import { loadCheckpoint, requireSameNetwork, type Checkpoint } from '../shared/checkpoint/checkpoint.ts'
import { CheckpointError } from '../shared/kit/errors.ts'
import type { Network } from '../shared/model/network.ts'
import type { DamagedCheckpoint } from '../shared/run_folder/checkpoint_folder.ts'
import { RunFolder } from '../shared/run_folder/run_folder.ts'
import type { Precedent } from './cluster/admission.ts'
import type { CoordinatorOptions } from './options.ts'

/** The checkpoint to resume from, its file, and the damaged checkpoints that would have been newer. */
export interface Resumption {
  file: string
  checkpoint: Checkpoint
  damaged: DamagedCheckpoint[]
  /** How the run computed so far; undefined if that is not known, or was not one way. */
  precedent: Precedent | undefined
}

/**
 * Loads the checkpoint that --resume names; for `latest`, the newest intact one of the run.
 * @returns undefined without --resume
 * @throws CheckpointError if there is none; UsageError if --out has no run
 */
export async function checkpointToResume(options: CoordinatorOptions): Promise<Resumption | undefined> {
  if (options.resume === undefined) return undefined
  const { file, checkpoint, damaged } = options.resume === 'latest'
    ? await (await RunFolder.open(options.out ?? '', clock)).checkpoints.loadNewest()
    : { file: options.resume, checkpoint: await loadCheckpoint(options.resume), damaged: [] }
  return { file, checkpoint, damaged, precedent: checkpoint.position.step === 0 ? undefined : await precedentOf(path.dirname(path.dirname(file))) }
}

const clock = (): Date => new Date()

/** Reads from provenance.json how a run computed; what cannot be read is told of when the file is written anew. */
async function precedentOf(run: string): Promise<Precedent | undefined> {
  const { fingerprints } = (await RunFolder.open(run, clock).then((folder) => folder.readProvenance()).catch(() => undefined)) ?? {}
  const [numerics, input] = [fingerprints?.numerics ?? [], [...new Set(fingerprints?.input.map(({ fingerprint }) => fingerprint))]]
  return numerics.length === 1 && input.length === 1 ? { numerics: numerics[0], input: input[0] } : undefined
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
