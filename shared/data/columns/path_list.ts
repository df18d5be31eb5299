import { MAX_PATH } from './paths.ts'

/** Number of paths in a group. The first one of a group is whole, so that finding a path takes at most so many steps. */
export const GROUP = 32

/** Most bytes of a path: each of its UTF-16 units takes at most three in UTF-8. */
const MAX_PATH_BYTES = 3 * MAX_PATH
const FIRST_BYTES = 4096
/** Most bytes of the two numbers before a path's own bytes. */
const NUMBER_BYTES = 6

/**
 * Paths in a few bytes each: of every path only that is kept in which it differs from the one before, since sorted paths have their beginnings in
 * common. A path is two numbers (how many bytes it shares with the one before, and how many follow) and those bytes of its UTF-8. Paths can be
 * added at the end, and read at any place; reading one after the other is fastest.
 */
export class PathList {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #end = 0
  #groups = new Uint32Array(FIRST_BYTES / GROUP)
  #length = 0
  #last = Buffer.allocUnsafe(MAX_PATH_BYTES)
  #lastEnd = 0
  #next = Buffer.allocUnsafe(MAX_PATH_BYTES)
  /** A reader that stands before the path `#at`. */
  #reader: PathReader | undefined
  #at = 0

  /** Makes a list of paths. */
  static of(paths: Iterable<string>): PathList {
    const list = new PathList()
    for (const path of paths) list.add(path)
    return list
  }

  get length(): number {
    return this.#length
  }

  /** Adds a path of at most 4096 characters at the end. */
  add(path: string): void {
    this.#reader = undefined
    const begins = this.#length % GROUP === 0
    const end = this.#next.write(path)
    const shared = begins ? 0 : sharedBytes(this.#last, this.#lastEnd, this.#next, end)
    this.#reserve(end + NUMBER_BYTES)
    if (begins) this.#groups[this.#length / GROUP] = this.#end
    this.#writeNumber(shared)
    this.#writeNumber(end - shared)
    copyBytes(this.#next, shared, end, this.#bytes, this.#end)
    this.#end += end - shared
    ;[this.#last, this.#next] = [this.#next, this.#last]
    this.#lastEnd = end
    this.#length++
  }

  /** Returns the path at a place from 0 on. @throws RangeError if there is none */
  at(index: number): string {
    if (!(index >= 0 && index < this.#length)) throw new RangeError(`path ${index} is none of ${this.#length}`)
    let reader = this.#reader
    if (reader === undefined || index < this.#at || index >= this.#at + GROUP) {
      const group = Math.floor(index / GROUP)
      this.#reader = reader = new PathReader(this.encoded(group * GROUP, this.#length), reader)
      this.#at = group * GROUP
    }
    while (this.#at < index) {
      reader.skip()
      this.#at++
    }
    this.#at++
    return reader.next()
  }

  *[Symbol.iterator](): Generator<string> {
    const reader = new PathReader(this.encoded(0, this.#length))
    for (let index = 0; index < this.#length; index++) yield reader.next()
  }

  /**
   * Returns the bytes of the paths from `begin`, the first one of a group, to `end`, the first one of another or the length: a view, which must not
   * be changed, and which a PathReader reads.
   */
  encoded(begin: number, end: number): Buffer {
    const placeOf = (index: number): number => (index >= this.#length ? this.#end : this.#groups[index / GROUP])
    return this.#bytes.subarray(placeOf(begin), placeOf(end))
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end + bytes))
      this.#bytes.copy(larger, 0, 0, this.#end)
      this.#bytes = larger
    }
    if (this.#length / GROUP >= this.#groups.length) {
      const larger = new Uint32Array(this.#groups.length * 2)
      larger.set(this.#groups)
      this.#groups = larger
    }
  }

  #writeNumber(value: number): void {
    let rest = value
    while (rest > 127) {
      this.#bytes[this.#end++] = (rest & 127) | 128
      rest >>>= 7
    }
    this.#bytes[this.#end++] = rest
  }
}

/** Copies bytes one by one: for the few that differ from path to path, that is faster than a call of Buffer.copy. */
function copyBytes(from: Uint8Array, begin: number, end: number, to: Uint8Array, at: number): void {
  for (let byte = begin, target = at; byte < end; byte++, target++) to[target] = from[byte]
}

function sharedBytes(a: Uint8Array, aEnd: number, b: Uint8Array, bEnd: number): number {
  const most = Math.min(aEnd, bEnd)
  let shared = 0
  while (shared < most && a[shared] === b[shared]) shared++
  return shared
}

/** Reads paths one after the other from the bytes of a PathList, which may come from anywhere: what is damaged is refused, and never read beyond its end. */
export class PathReader {
  readonly #bytes: Buffer
  readonly #path: Buffer
  #pathEnd = 0
  #at = 0

  /** @param spent another reader that is not used any more, whose memory this one takes */
  constructor(bytes: Buffer, spent?: PathReader) {
    this.#bytes = bytes
    this.#path = spent === undefined ? Buffer.allocUnsafe(MAX_PATH_BYTES) : spent.#path
  }

  /** True if all paths have been read. */
  get ended(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Reads the next path. @throws RangeError if the bytes end before it does, or are not those of a path */
  next(): string {
    this.skip()
    return this.#path.toString('utf8', 0, this.#pathEnd)
  }

  /** Reads over the next path. @throws as `next` does */
  skip(): void {
    const shared = this.#number()
    const own = this.#number()
    if (shared > this.#pathEnd || shared + own > MAX_PATH_BYTES || this.#at + own > this.#bytes.length) throw new RangeError('a path does not fit')
    copyBytes(this.#bytes, this.#at, this.#at + own, this.#path, shared)
    this.#at += own
    this.#pathEnd = shared + own
  }

  #number(): number {
    let value = 0
    for (let shift = 0; shift < 21; shift += 7) {
      if (this.#at >= this.#bytes.length) break
      const byte = this.#bytes[this.#at++]
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
    throw new RangeError('a number of a path is cut off')
  }
}
