import { access, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { makeFolders } from '../../shared/kit/folders.ts'
import { syncFolder, temporaryBeside, writeAtomically } from '../../shared/kit/atomic_file.ts'
import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { writeInferenceSavedModel } from '../../shared/engine/graph/training_graph.ts'
import { HerdError, messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { torchSafetensors } from './safetensors_file.ts'
import { writeTfjsModel } from './tfjs_model.ts'

export const EXPORT_FORMATS = ['safetensors', 'tfjs', 'savedmodel'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/**
 * Writes a checkpoint's network and weights for other programs: 'safetensors' a file for PyTorch, 'tfjs' a folder for
 * `tf.loadLayersModel`, 'savedmodel' a folder for TensorFlow with the class names in assets/classes.json.
 * `out` appears whole or not at all; its parent folders are made.
 * @throws UsageError if `out` exists or the network cannot be expressed in the format; RunError if `out` cannot be written.
 */
export async function exportCheckpoint(checkpoint: Checkpoint, format: ExportFormat, out: string): Promise<void> {
  if (await exists(out)) throw new UsageError(`${out} exists already: remove it, or give another --out.`)
  try {
    // This step can refuse the network, so it comes before anything touches the disk.
    const file = format === 'safetensors' ? torchSafetensors(checkpoint) : undefined
    await makeFolders(dirname(resolve(out)))
    if (file !== undefined) await writeAtomically(out, file)
    else await writeFolder(out, (folder) => (format === 'tfjs' ? writeTfjsModel(folder, checkpoint) : writeSavedModelFolder(folder, checkpoint)))
  } catch (error) {
    if (error instanceof HerdError) throw error
    throw new RunError(`${out} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}

/** Lets `write` fill a temporary folder, which is renamed to `out` once it is whole. */
async function writeFolder(out: string, write: (folder: string) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(out)
  await rm(temporary, { recursive: true, force: true })
  try {
    await write(temporary)
    await rename(temporary, out)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
  await syncFolder(dirname(resolve(out)))
}

async function writeSavedModelFolder(folder: string, { network, classes, parameters }: Checkpoint): Promise<void> {
  await writeInferenceSavedModel(folder, network, layoutOf(network), parameters)
  await makeFolders(join(folder, 'assets'))
  await writeFile(join(folder, 'assets', 'classes.json'), JSON.stringify(classes))
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
