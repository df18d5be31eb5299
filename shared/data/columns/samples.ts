import { setImmediate } from 'node:timers/promises'
import { HASH_BYTES, HashIndex } from './hash_index.ts'
import { PathList } from './path_list.ts'

export type Split = 'train' | 'test'

/** Limits of a data set: those of what travels to workers. */
export const MAX_CLASSES = 100_000
export const MAX_SAMPLES = 100_000_000

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

/** Columns of samples by id: what a data set of millions of images takes in memory, and what travels of it. */
export interface SampleColumns {
  paths: PathList
  classes: Uint32Array
  /** 32 bytes a sample. */
  hashes: Buffer
  bytes: Uint32Array
  /** 1 for a sample to test on, 0 for one to train on. */
  tests: Uint8Array
}

/** The images of a data set by id, sorted by path. They are kept in columns, some sixty bytes an image, so that millions of them fit. */
export class Samples {
  readonly columns: SampleColumns
  readonly length: number
  #index: Promise<HashIndex> | undefined

  constructor(columns: SampleColumns) {
    this.columns = columns
    this.length = columns.paths.length
  }

  /** Puts samples into columns. */
  static of(samples: readonly Sample[]): Samples {
    return new Samples({
      paths: PathList.of(samples.map(({ path }) => path)),
      classes: Uint32Array.from(samples, (sample) => sample.class),
      hashes: Buffer.concat(samples.map(({ sha256 }) => Buffer.from(sha256, 'hex'))),
      bytes: Uint32Array.from(samples, ({ bytes }) => bytes),
      tests: Uint8Array.from(samples, ({ split }) => Number(split === 'test')),
    })
  }

  path(id: number): string {
    return this.columns.paths.at(id)
  }

  /** Returns the index of the image's class. */
  classOf(id: number): number {
    return this.columns.classes[id]
  }

  /** Returns the hash of the image's file, in hexadecimal. */
  sha256(id: number): string {
    return this.columns.hashes.toString('hex', id * HASH_BYTES, (id + 1) * HASH_BYTES)
  }

  /** Returns the size of the image's file. */
  bytes(id: number): number {
    return this.columns.bytes[id]
  }

  split(id: number): Split {
    return this.columns.tests[id] === 1 ? 'test' : 'train'
  }

  /** Returns all that is known of one image. */
  at(id: number): Sample {
    return { path: this.path(id), class: this.classOf(id), sha256: this.sha256(id), bytes: this.bytes(id), split: this.split(id) }
  }

  /** Returns the ids of one side of the split, ascending. */
  ids(split: Split): number[] {
    const ids: number[] = []
    for (let id = 0; id < this.length; id++) if (this.split(id) === split) ids.push(id)
    return ids
  }

  /** Returns the index of the samples by the hash of their files, which is made once. */
  byHash(): Promise<HashIndex> {
    return (this.#index ??= HashIndex.of(this.columns.hashes, () => setImmediate()))
  }
}
