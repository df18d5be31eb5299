import { lastingVector } from './vectors.ts'

/**
 * A pool of vectors that are reused, so that a steady state allocates nothing. The vector that was returned last is taken first: it is still in
 * the processor's cache.
 */
export class VectorPool {
  readonly #length: number
  readonly #limit: number
  readonly #free: Float32Array[] = []
  /** Views that were taken, each with the whole vector that it is the beginning of. */
  readonly #taken = new Map<Float32Array, Float32Array>()

  /**
   * @param length number of floats in each vector
   * @param limit greatest number of vectors in the pool
   */
  constructor(length: number, limit: number) {
    this.#length = length
    this.#limit = limit
  }

  /**
   * Takes a vector with undefined contents. It is a new one, outside the pool, if it is longer than the pool's vectors or the pool's limit is
   * reached.
   * @param length number of floats
   */
  take(length: number): Float32Array {
    const vector = length > this.#length ? undefined : (this.#free.pop() ?? this.#another())
    if (vector === undefined) return new Float32Array(length)
    const taken = vector.subarray(0, length)
    this.#taken.set(taken, vector)
    return taken
  }

  /** Returns a vector to the pool; it must not be used any more. A vector that is not from the pool is ignored. */
  giveBack(taken: Float32Array): void {
    const vector = this.#taken.get(taken)
    if (vector === undefined) return
    this.#taken.delete(taken)
    this.#free.push(vector)
  }

  /** Returns all vectors that were taken. */
  reclaim(): void {
    for (const taken of [...this.#taken.keys()]) this.giveBack(taken)
  }

  #another(): Float32Array | undefined {
    return this.#free.length + this.#taken.size < this.#limit ? lastingVector(this.#length) : undefined
  }
}
