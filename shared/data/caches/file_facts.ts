import { HASH_BYTES } from '../columns/hash_index.ts'

/** What was found out about one image file. */
export interface FoundFacts {
  bytes: number
  /** Time of the last change, in milliseconds since 1970, with the fraction that the file system keeps. */
  modified: number
  /** 32 bytes. */
  sha256: Buffer
  /** Reason why the file cannot be decoded; null if it can, undefined if that has not been tried. */
  problem: string | null | undefined
}

/** How much is known about a file. */
export const Known = { nothing: 0, hash: 1, readable: 2, unreadable: 3 } as const

/** What is known about the files of a data set, in columns by their place among its candidates: some fifty bytes a file. */
export class FileFacts {
  readonly length: number
  readonly bytes: Uint32Array
  readonly modified: Float64Array
  readonly hashes: Buffer
  /** One of `Known` for each file. */
  readonly known: Uint8Array
  readonly #problems = new Map<number, string>()

  constructor(length: number) {
    this.length = length
    this.bytes = new Uint32Array(length)
    this.modified = new Float64Array(length)
    this.hashes = Buffer.alloc(length * HASH_BYTES)
    this.known = new Uint8Array(length)
  }

  set(place: number, { bytes, modified, sha256, problem }: FoundFacts): void {
    this.bytes[place] = bytes
    this.modified[place] = modified
    this.hashes.set(sha256, place * HASH_BYTES)
    this.known[place] = problem === undefined ? Known.hash : problem === null ? Known.readable : Known.unreadable
    if (typeof problem === 'string') this.#problems.set(place, problem)
    else this.#problems.delete(place)
  }

  /** Returns the 32 bytes of a file's hash, as a view. */
  hash(place: number): Buffer {
    return this.hashes.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES)
  }

  /** Returns the reason why a file cannot be decoded; undefined if it can, or that is not known. */
  problem(place: number): string | undefined {
    return this.#problems.get(place)
  }

  /** True if something is known of a file of this size and time of change. */
  knows(place: number, bytes: number, modified: number): boolean {
    return this.known[place] !== Known.nothing && this.bytes[place] === bytes && this.modified[place] === modified
  }
}
