/** Bytes of a sha256. */
export const HASH_BYTES = 32
/** Hashes that are taken into an index before others have their turn. */
const SLICE = 16384
const EMPTY = 0xffffffff

/** Finds hashes in a column of them. Its table has four to eight bytes an entry, where a Map of texts has more than a hundred. */
export class HashIndex {
  readonly #hashes: Buffer
  /** Places in the column, by the beginning of the hash or the next free cell behind it: hashes are random, so their beginnings spread them evenly. */
  readonly #table: Uint32Array
  #size = 0

  private constructor(hashes: Buffer) {
    this.#hashes = hashes
    const entries = hashes.length / HASH_BYTES
    this.#table = new Uint32Array(2 ** Math.ceil(Math.log2(1.5 * entries + 2))).fill(EMPTY)
  }

  /**
   * Makes the index of a column.
   * @param hashes 32 bytes each
   * @param others lets others have their turn, now and then
   */
  static async of(hashes: Buffer, others: () => Promise<unknown>): Promise<HashIndex> {
    const index = new HashIndex(hashes)
    for (let place = 0; place < hashes.length / HASH_BYTES; place++) {
      if (place % SLICE === 0) await others()
      const cell = index.#cellOf(hashes, place * HASH_BYTES)
      if (index.#table[cell] !== EMPTY) continue
      index.#table[cell] = place
      index.#size++
    }
    return index
  }

  /** Number of hashes, equal ones counted once. */
  get size(): number {
    return this.#size
  }

  /** @param sha256 in hexadecimal */
  has(sha256: string): boolean {
    return this.#table[this.#cellOf(Buffer.from(sha256, 'hex'), 0)] !== EMPTY
  }

  /** Returns the first place in the column with the same hash as this one. */
  firstLike(place: number): number {
    const first = this.#table[this.#cellOf(this.#hashes, place * HASH_BYTES)]
    return first === EMPTY ? place : first
  }

  /** Finds the cell that has a hash, or that it would be put into. */
  #cellOf(bytes: Buffer, at: number): number {
    const beginning = bytes.readUInt32LE(at)
    let cell = beginning % this.#table.length
    for (;;) {
      const place = this.#table[cell]
      // Most of those in other cells differ in their beginnings, which are compared faster than the whole.
      if (place === EMPTY || (this.#hashes.readUInt32LE(place * HASH_BYTES) === beginning && this.#isSame(bytes, at, place))) return cell
      cell = (cell + 1) % this.#table.length
    }
  }

  #isSame(bytes: Buffer, at: number, place: number): boolean {
    if (bytes === this.#hashes && at === place * HASH_BYTES) return true
    return bytes.compare(this.#hashes, place * HASH_BYTES, (place + 1) * HASH_BYTES, at, at + HASH_BYTES) === 0
  }
}
