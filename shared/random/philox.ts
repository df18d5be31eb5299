/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011, section
 * 4.3). A number depends on its key and counter only, never on earlier draws, so every process of a cluster draws the same numbers in any order.
 */

import { cosineOfAngle } from '../kit/cosine.ts'
import { logarithmOf } from '../kit/exponential.ts'

const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85
const ROUNDS = 10

/**
 * The uses of random numbers. The use is part of the key, so that two uses of one seed are independent. A run's result depends on these values:
 * they must not change.
 */
export const Purpose = { shuffle: 1, augment: 2, dropout: 3, init: 4, draw: 5, fingerprint: 6, simulation: 7, rounding: 8, mix: 9, search: 10 } as const
export type Purpose = (typeof Purpose)[keyof typeof Purpose]

/** Returns the upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const low = aLow * bLow
  const middle = aHigh * bLow + (low >>> 16)
  const middle2 = aLow * bHigh + (middle & 0xffff)
  // `middle` can reach 2^32, where >>> would wrap, so it is divided instead.
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(middle2 / 65536)) >>> 0
}

/**
 * Computes one block: four unsigned 32-bit integers for a 128-bit counter (c0 to c3) and a 64-bit key (k0, k1).
 * @param out receives the four integers
 */
export function philox4x32(
  c0: number, c1: number, c2: number, c3: number,
  k0: number, k1: number,
  out: Uint32Array,
): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0)
    const low0 = Math.imul(MULTIPLIER_0, c0)
    const high1 = multiplyHigh(MULTIPLIER_1, c2)
    const low1 = Math.imul(MULTIPLIER_1, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + WEYL_0) >>> 0
    k1 = (k1 + WEYL_1) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/**
 * The sequence of random numbers of one key (seed, purpose, a, b, c): for example the augmentation of sample c in epoch a. Draws advance the
 * counter's first word; sequences with different keys never overlap.
 */
export class KeyedRandom {
  readonly #block = new Uint32Array(4)
  #index = 0
  #used = 4
  readonly #seed: number
  readonly #purpose: Purpose
  readonly #a: number
  readonly #b: number
  readonly #c: number

  constructor(seed: number, purpose: Purpose, a = 0, b = 0, c = 0) {
    this.#seed = seed >>> 0
    this.#purpose = purpose
    this.#a = a >>> 0
    this.#b = b >>> 0
    this.#c = c >>> 0
  }

  /** Draws a uniform unsigned 32-bit integer. */
  uint32(): number {
    if (this.#used === 4) {
      philox4x32(this.#index++, this.#a, this.#b, this.#c, this.#seed, this.#purpose, this.#block)
      this.#used = 0
    }
    return this.#block[this.#used++]
  }

  /** Draws uniformly from [0, 1), with 32 random bits. */
  uniform(): number {
    return this.uint32() / 4294967296
  }

  /** Draws uniformly from [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /**
   * Draws a uniform integer from [0, bound), without modulo bias (by rejection).
   * @param bound at least 1
   */
  below(bound: number): number {
    const limit = 4294967296 - (4294967296 % bound)
    for (;;) {
      const value = this.uint32()
      if (value < limit) return value % bound
    }
  }

  /** Draws one of the items, each with the same probability. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]
  }

  /** Draws from the standard normal distribution, by the Box-Muller transform. */
  normal(): number {
    const radius = Math.sqrt(-2 * logarithmOf(1 - this.uniform()))
    return radius * cosineOfAngle(2 * Math.PI * this.uniform())
  }
}

/** Returns the numbers 0 to count - 1 in an order that only the random key decides (Fisher-Yates shuffle). */
export function permutation(count: number, random: KeyedRandom): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const swapped = order[i]
    order[i] = order[j]
    order[j] = swapped
  }
  return order
}
