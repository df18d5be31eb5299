import { messageOf, ProtocolError } from '../kit/errors.ts'
import type { Dataset, WantedCopy } from './dataset.ts'
import { HASH_BYTES } from './columns/hash_index.ts'
import { GROUP, PathList, PathReader } from './columns/path_list.ts'
import { MAX_CLASSES, MAX_SAMPLES, Samples } from './columns/samples.ts'
import { MAX_FILE_BYTES } from './sources/inspect.ts'
import { pathProblem } from './columns/paths.ts'

/** Description of a data set for a worker that does not have the images. */
export interface Manifest {
  classes: string[]
  samples: Samples
  digest: string
}

/** A part of a manifest as it travels; proto/herd.proto describes the fields. Numbers of columns are little-endian. */
export type ManifestPart =
  | { part: 'head'; head: ManifestHead }
  | { part: 'classNames'; classNames: { names: string[] } }
  | { part: 'columns'; columns: ManifestColumns }
  | { part: 'skipped'; skipped: { places: number[] } }

interface ManifestHead {
  digest: string
  classes: number
  samples: number
  skipped: number
  /** 0 if the data set has its own train/ and test/. */
  testFraction: number
}

interface ManifestColumns {
  paths: Buffer
  hashes: Buffer
  classes: Buffer
  bytes: Buffer
  tests: Buffer
}

/** Bytes of a sample besides its path. */
const SAMPLE_BYTES = HASH_BYTES + 4 + 4 + 1
/** Bytes from which on a part is full. It may become longer by one group of paths, or one name. */
const PART_BYTES = 256 * 1024

/** Yields the manifest of a data set in parts. Columns are views of the data set's own, so that a part costs no memory. */
export function* manifestParts({ classes, samples, digest, testFraction, skipped }: ManifestSource): Generator<ManifestPart> {
  yield { part: 'head', head: { digest, classes: classes.length, samples: samples.length, skipped: skipped.length, testFraction: testFraction ?? 0 } }
  for (const names of filled(classes, (name) => 3 * name.length)) yield { part: 'classNames', classNames: { names } }
  const { columns } = samples
  let begin = 0
  while (begin < samples.length) {
    let end = begin
    do end = Math.min(end + GROUP, samples.length)
    while (end < samples.length && columns.paths.encoded(begin, end).length + (end - begin) * SAMPLE_BYTES < PART_BYTES)
    yield {
      part: 'columns',
      columns: {
        paths: columns.paths.encoded(begin, end),
        hashes: columns.hashes.subarray(begin * HASH_BYTES, end * HASH_BYTES),
        classes: viewOf(columns.classes.subarray(begin, end)), bytes: viewOf(columns.bytes.subarray(begin, end)), tests: viewOf(columns.tests.subarray(begin, end)),
      },
    }
    begin = end
  }
}

/** Yields what a worker with a copy of its own needs of a data set, in parts. */
export function* copyParts({ classes, samples, digest, testFraction, skipped }: ManifestSource): Generator<ManifestPart> {
  yield { part: 'head', head: { digest, classes: classes.length, samples: samples.length, skipped: skipped.length, testFraction: testFraction ?? 0 } }
  for (const places of filled(skipped.map(({ place }) => place), () => 5)) yield { part: 'skipped', skipped: { places } }
}

/** What of a data set is told to workers. */
export type ManifestSource = Pick<Dataset, 'classes' | 'samples' | 'digest' | 'testFraction'> & { skipped: readonly Pick<Dataset['skipped'][number], 'place'>[] }

function* filled<T>(values: readonly T[], bytesOf: (value: T) => number): Generator<T[]> {
  let part: T[] = []
  let bytes = 0
  for (const value of values) {
    part.push(value)
    bytes += bytesOf(value)
    if (bytes < PART_BYTES) continue
    yield part
    part = []
    bytes = 0
  }
  if (part.length > 0) yield part
}

function viewOf(column: Uint8Array | Uint32Array): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength)
}

/** Puts a manifest together from its parts. They come over the wire, so nothing in them is trusted. */
export class ManifestReader {
  #head: ManifestHead | undefined
  readonly #classes: string[] = []
  readonly #skipped: number[] = []
  readonly #paths = new PathList()
  #lastPath = ''
  #classColumn = new Uint32Array(0)
  #hashes = Buffer.alloc(0)
  #bytes = new Uint32Array(0)
  #tests = new Uint8Array(0)

  /** @throws ProtocolError that names what is wrong with the part */
  take(part: ManifestPart): void {
    if (part.part === 'head') this.#takeHead(part.head)
    else if (part.part === 'classNames') this.#takeNames(part.classNames.names)
    else if (part.part === 'skipped') this.#takeSkipped(part.skipped.places)
    else this.#takeColumns(part.columns)
  }

  /** Returns the whole. @throws ProtocolError if something is not there */
  manifest(): Manifest {
    const { digest, samples, classes } = this.#begun
    if (this.#paths.length < samples || this.#classes.length < classes) wrong(`has ${this.#paths.length} of ${samples} samples and ${this.#classes.length} of ${classes} classes`)
    return { classes: this.#classes, digest, samples: new Samples({ paths: this.#paths, classes: this.#classColumn, hashes: this.#hashes, bytes: this.#bytes, tests: this.#tests }) }
  }

  /** Returns what a worker with a copy of its own needs. @throws ProtocolError if something is not there */
  copy(): WantedCopy {
    const { digest, samples, testFraction, skipped } = this.#begun
    if (this.#skipped.length < skipped) wrong(`has ${this.#skipped.length} of ${skipped} images that are left out`)
    return { digest, samples, testFraction: testFraction === 0 ? undefined : testFraction, skipped: this.#skipped }
  }

  get #begun(): ManifestHead {
    return this.#head ?? wrong('does not begin with its head')
  }

  #takeHead(head: ManifestHead): void {
    if (this.#head !== undefined) wrong('has two heads')
    if (head.classes < 2 || head.classes > MAX_CLASSES) wrong(`has ${head.classes} classes, where 2 to ${MAX_CLASSES} may be`)
    if (head.samples < 2 || head.samples > MAX_SAMPLES || head.skipped > MAX_SAMPLES) wrong(`has ${head.samples} samples, and leaves ${head.skipped} out, where 2 to ${MAX_SAMPLES} may be`)
    if (!(head.testFraction >= 0 && head.testFraction < 1)) wrong(`has ${head.testFraction} as its share to test on`)
    this.#head = head
  }

  #takeNames(names: readonly string[]): void {
    const { classes } = this.#begun
    for (const name of names) {
      const place = this.#classes.length
      const problem = place >= classes ? `must not be there, after ${classes} classes` : name.includes('/') ? "must not contain '/'" : pathProblem(name)
      if (problem !== undefined) wrong(`has class ${place}, which ${problem}`)
      if (place > 0 && !(this.#classes[place - 1] < name)) wrong(`has class ${place}, which must follow the one before in code-unit order`)
      this.#classes.push(name)
    }
  }

  #takeSkipped(places: readonly number[]): void {
    const { skipped, samples } = this.#begun
    for (const place of places) {
      if (this.#skipped.length >= skipped || place >= samples + skipped || place <= (this.#skipped.at(-1) ?? -1)) wrong(`leaves out image ${place}, which does not fit`)
      this.#skipped.push(place)
    }
  }

  #takeColumns({ paths, hashes, classes, bytes, tests }: ManifestColumns): void {
    const head = this.#begun
    const count = tests.length
    const begin = this.#paths.length
    if (count === 0 || begin + count > head.samples) wrong(`has columns of ${count} samples after ${begin} of ${head.samples}`)
    if (hashes.length !== count * HASH_BYTES || classes.length !== count * 4 || bytes.length !== count * 4) wrong('has columns of different lengths')
    if (begin === 0) this.#makeRoom(head.samples)
    const reader = new PathReader(paths)
    for (let row = 0; row < count; row++) this.#takeSample(begin + row, { path: nextOf(reader, begin + row), class: classes.readUInt32LE(row * 4), bytes: bytes.readUInt32LE(row * 4), test: tests[row] })
    if (!reader.ended) wrong('has more paths than samples')
    hashes.copy(this.#hashes, begin * HASH_BYTES)
  }

  /** Makes columns for all samples. Their memory takes up room only as far as they come. */
  #makeRoom(samples: number): void {
    try {
      this.#classColumn = new Uint32Array(samples)
      this.#bytes = new Uint32Array(samples)
      this.#tests = new Uint8Array(samples)
      this.#hashes = Buffer.alloc(samples * HASH_BYTES)
    } catch (error) {
      wrong(`has ${samples} samples, which do not fit into this machine's memory: ${messageOf(error)}`)
    }
  }

  #takeSample(id: number, sample: { path: string; class: number; bytes: number; test: number }): void {
    const problem = pathProblem(sample.path)
    if (problem !== undefined) wrong(`has a path of sample ${id}, which ${problem}`)
    if (id > 0 && !(this.#lastPath < sample.path)) wrong(`has a path of sample ${id}, which must follow the one before in code-unit order`)
    if (sample.class >= this.#begun.classes) wrong(`has class ${sample.class} of sample ${id}, which must be below ${this.#begun.classes}, the number of classes`)
    if (sample.bytes < 1 || sample.bytes > MAX_FILE_BYTES) wrong(`has ${sample.bytes} bytes of sample ${id}, which must be 1 to ${MAX_FILE_BYTES}`)
    if (sample.test > 1) wrong(`has split ${sample.test} of sample ${id}, which must be 0 or 1`)
    this.#lastPath = sample.path
    this.#paths.add(sample.path)
    this.#classColumn[id] = sample.class
    this.#bytes[id] = sample.bytes
    this.#tests[id] = sample.test
  }
}

function nextOf(reader: PathReader, id: number): string {
  try {
    return reader.next()
  } catch (error) {
    return wrong(`has a path of sample ${id} that cannot be read: ${messageOf(error)}`)
  }
}

function wrong(what: string): never {
  throw new ProtocolError(`the manifest of the coordinator ${what}.`)
}
