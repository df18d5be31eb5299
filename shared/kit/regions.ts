interface Region {
  at: number
  length: number
}

/** What of a stretch of memory is in use: the lowest place that is free is taken, so that little of it is ever touched. */
export class Regions {
  readonly #limit: number
  readonly #alignment: number
  /** In order. */
  readonly #used: Region[] = []

  /** @param limit bytes that there are @param alignment of the beginnings */
  constructor(limit: number, alignment: number) {
    this.#limit = limit
    this.#alignment = alignment
  }

  /** @returns where so many bytes are free from now on for whoever asked; undefined when they are not */
  take(length: number): number | undefined {
    let at = 0
    let index = 0
    for (; index < this.#used.length && at + length > this.#used[index].at; index++) at = this.#aligned(this.#used[index].at + this.#used[index].length)
    if (at + length > this.#limit) return undefined
    this.#used.splice(index, 0, { at, length })
    return at
  }

  /** What was taken there is free again. */
  free(at: number): void {
    const index = this.#used.findIndex((region) => region.at === at)
    if (index < 0) throw new Error(`nothing was taken at ${at}`)
    this.#used.splice(index, 1)
  }

  #aligned(at: number): number {
    return Math.ceil(at / this.#alignment) * this.#alignment
  }
}
