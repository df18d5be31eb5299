import { access, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { makeFolders } from '../../shared/kit/folders.ts'
import { syncFolder, temporaryBeside, writeAtomically } from '../../shared/kit/atomic_file.ts'
import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { transformListsOf } from '../../shared/checkpoint/transform_lists.ts'
import { writeInferenceSavedModel } from '../../shared/engine/graph/training_graph.ts'
import { HerdError, messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { onnxModel } from './onnx_model.ts'
import { PREPROCESSING_FILE, preprocessingOf, type Preprocessing } from './preprocessing.ts'
import { torchSafetensors } from './safetensors_file.ts'
import { writeTfjsModel } from './tfjs_model.ts'
import { writeWebPage } from './web_page.ts'

export const EXPORT_FORMATS = ['safetensors', 'onnx', 'tfjs', 'savedmodel', 'web'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/**
 * Writes a checkpoint's network and weights for other programs: 'safetensors' a file for PyTorch, 'onnx' a file for ONNX Runtime and the like, 'tfjs' a
 * folder for `tf.loadLayersModel`, 'savedmodel' a folder for TensorFlow, 'web' a folder with a page that classifies photographs in a browser. How
 * photographs are prepared is described by preprocessing.json in the folder that has the model, or by FILE.preprocessing.json beside the file. `out` appears whole or
 * not at all; its parent folders are made.
 * @param opened a checkpoint and the path that it was read from, for errors
 * @throws UsageError if `out`, or the description beside it, exists or the network cannot be expressed in the format; RunError if `out` cannot be
 *   written; CheckpointError if the transforms of its run are not known
 */
export async function exportCheckpoint({ checkpoint, file }: { checkpoint: Checkpoint; file: string }, format: ExportFormat, out: string): Promise<void> {
  const beside = `${out}.${PREPROCESSING_FILE}`
  const isFile = format === 'safetensors' || format === 'onnx'
  for (const path of isFile ? [out, beside] : [out]) if (await exists(path)) throw new UsageError(`${path} exists already: remove it, or give another --out.`)
  const preprocessing = preprocessingOf(checkpoint, transformListsOf(checkpoint, file).evaluation, format === 'web' ? 'tfjs' : format)
  try {
    // This step can refuse the network, so it comes before anything touches the disk.
    const parts = format === 'safetensors' ? torchSafetensors(checkpoint, preprocessing) : format === 'onnx' ? [onnxModel(checkpoint, preprocessing)] : []
    await makeFolders(dirname(resolve(out)))
    if (isFile) await writeFiles({ out, parts }, { beside, preprocessing })
    else await writeFolder(out, (folder) => FOLDERS[format](folder, checkpoint, preprocessing))
  } catch (error) {
    if (error instanceof HerdError) throw error
    throw new RunError(`${out} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}

/** Writes a model and, before it, the description beside it: a model that is there is described. */
async function writeFiles({ out, parts }: { out: string; parts: Uint8Array[] }, { beside, preprocessing }: { beside: string; preprocessing: Preprocessing }): Promise<void> {
  await writeAtomically(beside, [textOf(preprocessing)])
  try {
    await writeAtomically(out, parts)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

/** Functions that fill a new folder with a model, by format. */
const FOLDERS: Readonly<Record<Exclude<ExportFormat, 'safetensors' | 'onnx'>, (folder: string, checkpoint: Checkpoint, preprocessing: Preprocessing) => Promise<void>>> = {
  tfjs: writeTfjsFolder,
  savedmodel: writeSavedModelFolder,
  web: async (folder, checkpoint, preprocessing) => writeWebPage(folder, (model) => writeTfjsFolder(model, checkpoint, preprocessing)),
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

async function writeTfjsFolder(folder: string, checkpoint: Checkpoint, preprocessing: Preprocessing): Promise<void> {
  await writeTfjsModel(folder, checkpoint)
  await writeFile(join(folder, PREPROCESSING_FILE), textOf(preprocessing))
}

async function writeSavedModelFolder(folder: string, { network, classes, parameters }: Checkpoint, preprocessing: Preprocessing): Promise<void> {
  await writeInferenceSavedModel(folder, network, layoutOf(network), parameters)
  await makeFolders(join(folder, 'assets'))
  await writeFile(join(folder, 'assets', 'classes.json'), JSON.stringify(classes))
  await writeFile(join(folder, PREPROCESSING_FILE), textOf(preprocessing))
}

/** The description as a file, for people too. */
function textOf(preprocessing: Preprocessing): string {
  return `${JSON.stringify(preprocessing, null, 2)}\n`
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
