import { philox4x32, Purpose } from '../random/philox.ts'

/** What the rounding of one vector is keyed by: the gradient sum over a node of the lane tree, in a step. */
export interface NoiseKey {
  seed: number
  /** Steps of the run that came before. */
  step: number
  /** Node of the lane tree. */
  node: number
}

/** Elements that four blocks of random numbers serve, with 16 bits for each. */
export const NOISE_FLOATS = 32

/** Half of what 16 bits can say: with it, what is rounded goes to the nearest. */
const HALF = 0x8000

/**
 * 16 random bits for each of 32 elements, from the first of them on, a multiple of 32 in its vector. Element i takes them from block
 * 4 * floor(i / 32) + i % 4, word floor(i / 8) % 4, lower half first: in this order four blocks side by side are a vector's lanes.
 * @param key undefined: to the nearest
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
