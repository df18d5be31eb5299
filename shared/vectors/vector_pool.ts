import { lastingVector } from './vectors.ts'

/**
 * Vectors that are used again, so that a steady state allocates nothing. The one that was given back last is taken first: it is still in
 * the processor's cache.
 */
export class VectorPool {
  readonly #length: number
  readonly #limit: number
  readonly #free: Float32Array[] = []
  /** What was taken, and the vector that it is the beginning of. */
  readonly #taken = new Map<Float32Array, Float32Array>()

  /** @param length floats of each @param limit how many are kept at most */
  constructor(length: number, limit: number) {
    this.#length = length
    this.#limit = limit
  }

  /** A vector of at most the pool's length, with anything in it. */
  take(length: number): Float32Array {
    const vector = length > this.#length ? undefined : (this.#free.pop() ?? this.#another())
    if (vector === undefined) return new Float32Array(length)
    const taken = vector.subarray(0, length)
    this.#taken.set(taken, vector)
    return taken
  }

  /** What was taken is free again, and must not be used any more. Whatever is not of the pool is left alone. */
  giveBack(taken: Float32Array): void {
    const vector = this.#taken.get(taken)
    if (vector === undefined) return
    this.#taken.delete(taken)
    this.#free.push(vector)
  }

  /** All that were taken are free again. */
  reclaim(): void {
    for (const taken of [...this.#taken.keys()]) this.giveBack(taken)
  }

  #another(): Float32Array | undefined {
    return this.#free.length + this.#taken.size < this.#limit ? lastingVector(this.#length) : undefined
  }
}
