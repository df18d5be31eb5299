import { philox4x32, Purpose } from '../random/philox.ts'

/** Key of the random bits for rounding one vector: the gradient sum over a node of the lane tree, in one step of a run. */
export interface NoiseKey {
  seed: number
  /** Number of steps of the run before this one. */
  step: number
  /** Index of the node in the lane tree. */
  node: number
}

/** Elements for which four blocks of Philox have 16 random bits each. */
export const NOISE_FLOATS = 32

/** Half of the range of 16 bits: in the place of random bits, it makes values round to the nearest. */
const HALF = 0x8000

/**
 * Writes 16 random bits for each of 32 elements of a vector. Element i takes them from block 4 * floor(i / 32) + i % 4 of Philox, word
 * floor(i / 8) % 4, lower half first: in this order, a SIMD vector's four lanes can compute four blocks side by side.
 * @param key undefined for bits with which values are rounded to the nearest
 * @param first index of the first element in its vector, a multiple of 32
 * @param out has `NOISE_FLOATS` elements
 */
export function noise(key: NoiseKey | undefined, first: number, out: Uint16Array): void {
  if (key === undefined) {
    out.fill(HALF)
    return
  }
  const block = new Uint32Array(4)
  for (let lane = 0; lane < 4; lane++) {
    philox4x32(first / 8 + lane, key.node, key.step, 0, key.seed >>> 0, Purpose.rounding, block)
    for (let word = 0; word < 4; word++) {
      out[8 * word + lane] = block[word] & 0xffff
      out[8 * word + 4 + lane] = block[word] >>> 16
    }
  }
}
