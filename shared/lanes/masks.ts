import { dropoutLayers, type Network } from '../model/network.ts'
import { philox4x32, Purpose } from '../random/philox.ts'

/**
 * Draws the dropout masks of one lane, keyed by (seed, step, sample, layer): a sample's mask is the same in every lane and on every worker.
 * @param samples ids of the lane's samples
 * @returns for each dropout layer float32 [samples, ...shape]: 0 with probability `rate`, else 1 / (1 - rate)
 */
export function dropoutMasks(network: Network, seed: number, step: number, samples: ArrayLike<number>): Float32Array[] {
  const block = new Uint32Array(4)
  return dropoutLayers(network).map(({ rate, shape }, layer) => {
    const size = shape.reduce((a, b) => a * b, 1)
    const threshold = rate * 4294967296
    const kept = 1 / (1 - rate)
    const mask = new Float32Array(samples.length * size)
    for (let row = 0; row < samples.length; row++) {
      const start = row * size
      for (let i = 0; i < size; i += 4) {
        philox4x32(i >>> 2, step, samples[row], layer, seed >>> 0, Purpose.dropout, block)
        const width = Math.min(4, size - i)
        for (let j = 0; j < width; j++) mask[start + i + j] = block[j] < threshold ? 0 : kept
      }
    }
    return mask
  })
}
