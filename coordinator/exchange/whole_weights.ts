import { wholeOf } from '../../shared/model/frozen.ts'
import type { Network } from '../../shared/model/network.ts'
import type { Weights } from './reduction.ts'

/**
 * Adds the frozen parameters to a run's weights: what is stored, digested and shown has all parameters, of which only a part may be exchanged.
 * @param frozen flat vector of `frozenLayoutOf`
 * @returns weights whose parameters have the layout `wholeLayoutOf`; moments are those of the trained parameters, as before
 */
export function wholeWeights(weights: Weights, network: Network, frozen: Float32Array): Weights {
  if (frozen.length === 0) return weights
  return {
    parameters: async () => wholeOf(network, await weights.parameters(), frozen),
    snapshot: async () => {
      const { parameters, moments } = await weights.snapshot()
      return { parameters: wholeOf(network, parameters, frozen), moments }
    },
  }
}
