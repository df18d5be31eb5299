import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { ProtocolError } from '../kit/errors.ts'
import type { FileFacts } from './caches/file_facts.ts'
import { HASH_BYTES } from './columns/hash_index.ts'
import { PathList } from './columns/path_list.ts'
import { Samples } from './columns/samples.ts'
import { SLICE } from './columns/slice.ts'
import { FolderSource } from './sources/folder_source.ts'
import type { ImageSource } from './sources/image_source.ts'
import { inspectFiles, type InspectOptions } from './sources/inspect.ts'
import { duplicatesOf, tellPassedOver } from './sources/notices.ts'
import { fileOf, scanFolder, type Scan } from './sources/scan.ts'
import { checkEveryClass, checkSize, checkTestFraction, splitOf } from './split.ts'

export interface Dataset {
  /** Absolute path of the folder to which the samples' paths are relative. */
  root: string
  classes: string[]
  /** Samples by id, sorted by path. */
  samples: Samples
  /** Ids of the samples to train on, and to test on, ascending. */
  train: number[]
  test: number[]
  /** Hash of all images, in hexadecimal: machines whose digests agree have the same images under the same names, and skip the same ones. */
  digest: string
  /** Images that cannot be decoded, and why; `place` is their place among all files that are images by their names, in the order of paths. */
  skipped: { path: string; place: number; reason: string }[]
  /** Share of the images to test on; undefined if the data set has its own train/ and test/. */
  testFraction: number | undefined
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
  checkTestFraction(options.testFraction)
  const scan = await scanFolder(folder)
  const { root, classes, candidates: { paths, tests } } = scan
  checkSize(root, classes.length, paths.length)
  const facts = await inspectFiles(scan, true, options)
  const skipped: Dataset['skipped'] = []
  for (let place = 0; place < facts.length; place++) {
    const reason = facts.problem(place)
    if (reason !== undefined) skipped.push({ path: paths.at(place), place, reason })
  }
  const testFraction = tests === undefined ? options.testFraction : undefined
  const samples = await samplesOf(scan, facts, skipped.map(({ place }) => place), testFraction)
  checkEveryClass(classes, samples, testFraction)
  const notices = [...tellPassedOver(scan), ...(await duplicatesOf(samples))]
  const dataset = { root, classes, samples, ...idsBySplit(samples), digest: await digestOf(scan, facts), skipped, testFraction, notices }
  return { dataset, source: sourceOf(scan, samples) }
}

/** What a worker needs to know of a run's data set if it has a copy of its own: the rest is in the copy. */
export interface WantedCopy {
  /** Digest of the data set. */
  digest: string
  /** Number of its samples. */
  samples: number
  /** Share of the images to test on; undefined if the data set has its own train/ and test/. */
  testFraction: number | undefined
  /** Places of the images that are left out since they cannot be decoded, ascending, among all files that are images by their names. */
  skipped: readonly number[]
}

/**
 * Opens a worker's own copy of a run's data set, which is hashed and not decoded.
 * @returns `images`: undefined for a copy with another digest, which is no error here: the coordinator refuses it, with both digests in its words.
 * @throws DataError as `openDataset` does for the folder and for files that cannot be read.
 * @throws ProtocolError if what is left out cannot be of a data set with this digest.
 */
export async function openCopy(folder: string, wanted: WantedCopy, options: InspectOptions): Promise<{ digest: string; images: { samples: Samples; source: ImageSource } | undefined }> {
  const scan = await scanFolder(folder)
  const facts = await inspectFiles(scan, false, options)
  const digest = await digestOf(scan, facts)
  if (digest !== wanted.digest) return { digest, images: undefined }
  const images = scan.candidates.paths.length
  if (wanted.samples + wanted.skipped.length !== images) throw new ProtocolError(`the coordinator has ${wanted.samples} samples and leaves out ${wanted.skipped.length} images, in a data set of ${images}.`)
  const samples = await samplesOf(scan, facts, wanted.skipped, wanted.testFraction)
  return { digest, images: { samples, source: sourceOf(scan, samples) } }
}

/** Returns the ids of the training samples and of the test samples, both ascending. */
export function idsBySplit(samples: Samples): { train: number[]; test: number[] } {
  return { train: samples.ids('train'), test: samples.ids('test') }
}

/** Puts all candidates but the skipped ones into samples. @param skipped places, ascending @param testFraction undefined if the folders decide */
async function samplesOf({ candidates: { paths, classes, tests } }: Scan, facts: FileFacts, skipped: readonly number[], testFraction: number | undefined): Promise<Samples> {
  const count = paths.length - skipped.length
  const columns = { paths: new PathList(), classes: new Uint32Array(count), hashes: Buffer.alloc(count * HASH_BYTES), bytes: new Uint32Array(count), tests: new Uint8Array(count) }
  let begin = 0
  for (const end of [...skipped, paths.length]) {
    const from = columns.paths.length
    columns.classes.set(classes.subarray(begin, end), from)
    columns.bytes.set(facts.bytes.subarray(begin, end), from)
    facts.hashes.copy(columns.hashes, from * HASH_BYTES, begin * HASH_BYTES, end * HASH_BYTES)
    for (let place = begin; place < end; place++) {
      if (place % SLICE === 0) await setImmediate()
      const path = paths.at(place)
      columns.tests[columns.paths.length] = testFraction === undefined ? (tests?.[place] ?? 0) : Number(splitOf(path, testFraction) === 'test')
      columns.paths.add(path)
    }
    begin = end + 1
  }
  return new Samples(columns)
}

function sourceOf({ root, candidates: { spelled } }: Scan, samples: Samples): FolderSource {
  return new FolderSource({ file: (id) => fileOf(root, samples.path(id), spelled), sha256: (id) => samples.sha256(id) })
}

/** Computes a sha256 over path, class and content of every file that is an image by its name, readable or not, so that nothing has to be decoded. */
async function digestOf({ classes, candidates }: Scan, facts: FileFacts): Promise<string> {
  const hash = createHash('sha256')
  for (let begin = 0; begin < facts.length; begin += SLICE) {
    await setImmediate()
    let lines = ''
    for (let place = begin; place < Math.min(begin + SLICE, facts.length); place++) lines += `${candidates.paths.at(place)}\0${classes[candidates.classes[place]]}\0${facts.hash(place).toString('hex')}\n`
    hash.update(lines)
  }
  return hash.digest('hex')
}
