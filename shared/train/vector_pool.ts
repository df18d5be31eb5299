import { lastingVector } from './vectors.ts'

/** Vectors that are used again for each step, so that a steady state allocates nothing. */
export class VectorPool {
  readonly #length: number
  readonly #limit: number
  readonly #vectors: Float32Array[] = []
  #taken = 0

  /** @param length floats of each @param limit how many are kept at most */
  constructor(length: number, limit: number) {
    this.#length = length
    this.#limit = limit
  }

  /** A vector of at most the pool's length, with anything in it. */
  take(length: number): Float32Array {
    if (length > this.#length || this.#taken === this.#limit) return new Float32Array(length)
    const vector = (this.#vectors[this.#taken] ??= lastingVector(this.#length))
    this.#taken++
    return vector.subarray(0, length)
  }

  /** All that were taken are free again. */
  reclaim(): void {
    this.#taken = 0
  }
}
