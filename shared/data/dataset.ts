import { createHash } from 'node:crypto'
import { type FileFacts } from './caches/file_cache.ts'
import { DataError } from '../kit/errors.ts'
import { FolderSource, type HashedFile } from './sources/folder_source.ts'
import type { ImageSource } from './sources/image_source.ts'
import { inspectFiles, type InspectOptions } from './sources/inspect.ts'
import { duplicatesOf, tellPassedOver } from './sources/notices.ts'
import { scanFolder, type Scan, type Split } from './sources/scan.ts'
import { checkEveryClass, checkTestFraction, splitOf } from './split.ts'

/** One readable image. Its index in the data set's samples is its id. */
export interface Sample {
  /** Path relative to the root, with '/'; Unicode-normalised, so that it is the same on every machine. */
  path: string
  /** Index of the image's class in the data set's classes. */
  class: number
  /** Hash of the file's bytes, in hexadecimal. */
  sha256: string
  /** Size of the image file. */
  bytes: number
  split: Split
}

export interface Dataset {
  /** Absolute path of the folder to which the samples' paths are relative. */
  root: string
  classes: string[]
  /** Samples by id, sorted by path. */
  samples: Sample[]
  /** Ids of the samples to train on, and to test on, ascending. */
  train: number[]
  test: number[]
  /** Hash of all images, in hexadecimal: machines whose digests agree have the same images under the same names, and skip the same ones. */
  digest: string
  /** Images that cannot be decoded, and why. */
  skipped: { path: string; reason: string }[]
  /** What else a user should know: files that are passed over, images that are there twice. */
  notices: string[]
}

/** A data set, and where its files are read. */
export interface OpenedDataset {
  dataset: Dataset
  source: ImageSource
}

export interface OpenOptions extends InspectOptions {
  /** Share of the images to test on, in (0, 1); has no effect if the data set has its own train/ and test/. */
  testFraction: number
}

/**
 * Finds, hashes and checks the images below `folder` (in a layout that `scanFolder` knows), and splits them. The first opening decodes
 * every image; later ones only look at the files' sizes and times of change.
 * @throws DataError if the folder is no data set, a file cannot be read, or a class is left without an image to train or to test on.
 * @throws UsageError for a test fraction outside (0, 1).
 */
export async function openDataset(folder: string, options: OpenOptions): Promise<OpenedDataset> {
  const { testFraction } = options
  checkTestFraction(testFraction)
  const scan = await scanFolder(folder)
  const facts = await inspectFiles(scan, true, options)

  const samples: Sample[] = []
  // Paths on this machine: those of the samples, unless the disk spells a name in another Unicode form.
  const files: HashedFile[] = []
  const skipped: Dataset['skipped'] = []
  for (const [i, { path, file, class: classIndex, split }] of scan.candidates.entries()) {
    const { sha256, bytes, problem } = facts[i]
    if (typeof problem === 'string') {
      skipped.push({ path, reason: problem })
      continue
    }
    samples.push({ path, class: classIndex, sha256, bytes, split: split ?? splitOf(path, testFraction) })
    files.push({ file, sha256 })
  }
  const ownSplit = scan.candidates[0].split !== undefined
  checkEveryClass(scan.classes, samples, ownSplit ? undefined : testFraction)
  const dataset = { root: scan.root, classes: scan.classes, samples, ...idsBySplit(samples), digest: digestOf(scan, facts), skipped, notices: [...tellPassedOver(scan), ...duplicatesOf(samples)] }
  return { dataset, source: new FolderSource(files) }
}

/**
 * Opens a worker's own copy of a run's data set, which is hashed and not decoded.
 * @param wanted digest and samples of the run. A copy with another digest is no error here: the coordinator refuses it, with both digests in its words.
 * @throws DataError as `openDataset` does for the folder and for files that cannot be read.
 */
export async function openCopy(folder: string, wanted: { digest: string; samples: readonly Pick<Sample, 'path' | 'sha256'>[] }, options: InspectOptions): Promise<{ digest: string; source: ImageSource }> {
  const scan = await scanFolder(folder)
  const digest = digestOf(scan, await inspectFiles(scan, false, options))
  const files = new Map(scan.candidates.map(({ path, file }) => [path, file]))
  const own = wanted.samples.map(({ path, sha256 }) => ({ file: files.get(path), sha256 }))
  if (digest === wanted.digest && own.some(({ file }) => file === undefined)) throw new DataError(`${folder} has the digest of the run's data set, but not all of its images.`)
  return { digest, source: new FolderSource(own.map(({ file = '', sha256 }) => ({ file, sha256 }))) }
}

/** Returns the ids of the training samples and of the test samples, both ascending. */
export function idsBySplit(samples: readonly Sample[]): { train: number[]; test: number[] } {
  const ids = (split: Split): number[] => samples.flatMap((sample, id) => (sample.split === split ? [id] : []))
  return { train: ids('train'), test: ids('test') }
}

/** Computes a sha256 over path, class and content of every file that is an image by its name, readable or not, so that nothing has to be decoded. */
function digestOf(scan: Scan, facts: readonly FileFacts[]): string {
  const hash = createHash('sha256')
  for (const [i, { path, class: classIndex }] of scan.candidates.entries()) hash.update(`${path}\0${scan.classes[classIndex]}\0${facts[i].sha256}\n`)
  return hash.digest('hex')
}
