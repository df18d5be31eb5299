import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import pMap from 'p-map'
import { z } from 'zod'
import { makeFolders } from '../../shared/kit/folders.ts'
import { isTemporary, writeAtomically } from '../../shared/kit/atomic_file.ts'
import { DataError, messageOf, UsageError } from '../../shared/kit/errors.ts'
import { DRAWN_CLASSES } from './animal.ts'
import { renderAnimal } from './raster.ts'

export const MAX_PER_CLASS = 9999

/** File that records what a folder holds, so that it can be completed and is never mixed with other images. Hidden, hence no part of the data set. */
export const STAMP_FILE = '.drawn.json'

/** Version of the drawings, increased whenever one changes: images of two versions do not belong in one folder. */
const VERSION = 1

const Stamp = z.strictObject({
  format: z.literal('herd-drawn-animals'),
  version: z.int(),
  seed: z.int(),
  /** Images per class that were asked for last; there are fewer only if drawing them was interrupted. */
  perClass: z.int(),
})
type Stamp = z.infer<typeof Stamp>

export interface DrawOptions {
  /** The folder that gets `raw-img/<class>/<class>-0001.jpeg` and so on. */
  readonly out: string
  /** Images per class, 1 to 9999. */
  readonly perClass: number
  /** Seed of the drawings, 0 to 2^32 - 1. */
  readonly seed: number
  /** Called after each image with the number there is by now and the number there will be. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface DrawnDataset {
  /** Images in the folder, of all classes. */
  readonly images: number
  /** The data set's folder, `<out>/raw-img`. */
  readonly folder: string
}

/**
 * Draws the built-in data set: ten animals in the layout of Animals-10. An image depends on the seed, its class and its
 * number alone, so more per class only add files. Safe to repeat and to interrupt: what is there is kept, what is missing is drawn.
 * @throws UsageError if the seed or perClass is out of range
 * @throws DataError if the folder holds anything else, other drawings or more per class, or cannot be written
 */
export async function drawDataset({ out, perClass, seed, onProgress }: DrawOptions): Promise<DrawnDataset> {
  requireInteger('per-class', perClass, 1, MAX_PER_CLASS)
  requireInteger('seed', seed, 0, 2 ** 32 - 1)
  const folder = path.join(out, 'raw-img')
  try {
    await claimFolder(out, { format: 'herd-drawn-animals', version: VERSION, seed, perClass })
    const missing: { classIndex: number; imageIndex: number }[] = []
    for (const [classIndex, name] of DRAWN_CLASSES.entries()) {
      const present = await drawnFiles(path.join(folder, name), name)
      for (let imageIndex = 0; imageIndex < perClass; imageIndex++) {
        if (!present.has(fileName(name, imageIndex))) missing.push({ classIndex, imageIndex })
      }
    }
    const images = perClass * DRAWN_CLASSES.length
    let done = images - missing.length
    // Twice as many at a time as cores: while some wait for the disk or for this thread, the others keep libuv's threads busy.
    await pMap(missing, async ({ classIndex, imageIndex }) => {
      const name = DRAWN_CLASSES[classIndex]
      // The file is not synchronised: a picture lost in a power cut is drawn again, and waiting for the disk would take longer than drawing.
      await writeAtomically(path.join(folder, name, fileName(name, imageIndex)), [await renderAnimal(seed, classIndex, imageIndex)], { durable: false })
      onProgress?.(++done, images)
    }, { concurrency: 2 * availableParallelism() })
    return { images, folder }
  } catch (thrown) {
    if (thrown instanceof DataError) throw thrown
    throw new DataError(`cannot draw the images into ${out}: ${messageOf(thrown)}; free space there or choose another folder with --out`, { cause: thrown })
  }
}

function requireInteger(field: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return
  throw new UsageError(`--${field} ${value}: expected a whole number from ${low} to ${high}`)
}

function fileName(className: string, imageIndex: number): string {
  return `${className}-${String(imageIndex + 1).padStart(4, '0')}.jpeg`
}

/** Marks the folder by the stamp file, or finds that it is marked already. @throws DataError if it holds anything else, or other drawings. */
async function claimFolder(out: string, wanted: Stamp): Promise<void> {
  await makeFolders(out)
  const entries = await readdir(out)
  const found = entries.includes(STAMP_FILE) ? await readStamp(path.join(out, STAMP_FILE)) : undefined
  if (found === undefined && entries.length > 0) {
    throw new DataError(`${out} is not empty (it has ${entries[0]}) and was not drawn by this program; choose an empty or new folder with --out`)
  }
  if (found !== undefined) {
    if (found.version !== wanted.version) throw new DataError(`${out} holds drawings of version ${found.version}, this program draws version ${wanted.version}; delete the folder or choose another with --out`)
    if (found.seed !== wanted.seed) throw new DataError(`${out} holds drawings of seed ${found.seed}, asked for ${wanted.seed}; use --seed ${found.seed}, delete the folder, or choose another with --out`)
    if (found.perClass > wanted.perClass) throw new DataError(`${out} holds drawings of ${found.perClass} per class, asked for ${wanted.perClass}; use --per-class ${found.perClass}, delete the folder, or choose another with --out`)
    refuseStrangers(out, entries, [STAMP_FILE, 'raw-img'])
  }
  for (const name of DRAWN_CLASSES) await makeFolders(path.join(out, 'raw-img', name))
  refuseStrangers(path.join(out, 'raw-img'), await readdir(path.join(out, 'raw-img')), DRAWN_CLASSES)
  for (const name of DRAWN_CLASSES) await drawnFiles(path.join(out, 'raw-img', name), name)
  if (found?.perClass !== wanted.perClass) await writeAtomically(path.join(out, STAMP_FILE), [`${JSON.stringify(wanted)}\n`])
}

async function readStamp(file: string): Promise<Stamp> {
  try {
    return Stamp.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (thrown) {
    throw new DataError(`${file} is damaged, so what the folder holds is unknown; delete the folder or choose another with --out`, { cause: thrown })
  }
}

/** Names in the folder of one class. @throws DataError if one is neither an image nor a temporary file that a killed process left. */
async function drawnFiles(folder: string, className: string): Promise<Set<string>> {
  const ours = new RegExp(`^${className}-\\d{4}\\.jpeg$`)
  const entries = await readdir(folder)
  refuseStrangers(folder, entries, entries.filter((entry) => ours.test(entry) || isTemporary(entry)))
  return new Set(entries)
}

function refuseStrangers(folder: string, entries: readonly string[], known: readonly string[]): void {
  const stranger = entries.find((entry) => !known.includes(entry) && entry !== '.DS_Store')
  if (stranger === undefined) return
  throw new DataError(`${path.join(folder, stranger)} was not drawn by this program; move it elsewhere or choose another folder with --out`)
}
