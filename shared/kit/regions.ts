interface Region {
  at: number
  length: number
}

/** Allocator of regions in a stretch of memory. It takes the lowest free place, so that little of the stretch is ever touched. */
export class Regions {
  readonly #limit: number
  readonly #alignment: number
  /** Regions in use, in ascending order. */
  readonly #used: Region[] = []

  /**
   * @param limit size of the stretch in bytes
   * @param alignment bytes of which every region's beginning is a multiple
   */
  constructor(limit: number, alignment: number) {
    this.#limit = limit
    this.#alignment = alignment
  }

  /**
   * Takes a region.
   * @param length size of the region in bytes
   * @returns its beginning; undefined if no gap is large enough
   */
  take(length: number): number | undefined {
    let at = 0
    let index = 0
    for (; index < this.#used.length && at + length > this.#used[index].at; index++) at = this.#aligned(this.#used[index].at + this.#used[index].length)
    if (at + length > this.#limit) return undefined
    this.#used.splice(index, 0, { at, length })
    return at
  }

  /**
   * Frees the region that begins at `at`.
   * @throws Error if no region begins there
   */
  free(at: number): void {
    const index = this.#used.findIndex((region) => region.at === at)
    if (index < 0) throw new Error(`nothing was taken at ${at}`)
    this.#used.splice(index, 1)
  }

  #aligned(at: number): number {
    return Math.ceil(at / this.#alignment) * this.#alignment
  }
}
