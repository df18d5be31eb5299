import { UsageError } from '../kit/errors.ts'
import { frozenLayoutOf, hasFrozenNorm, isStatistic, layerOf, layoutOf, viewOf, wholeLayoutOf, type Layout } from './layout.ts'
import type { Network } from './network.ts'
import { parametersNamed } from './parameter_patterns.ts'

/**
 * Freezes the parameters that patterns name. A batch norm of which gamma and beta are frozen keeps its running statistics too.
 * @returns the network, with the names of all that keeps its values
 * @throws UsageError if a pattern names nothing, or nothing is left to train
 */
export function withFrozen(network: Network, patterns: readonly string[]): Network {
  if (patterns.length === 0) return network
  const named = new Set(patterns.flatMap((pattern) => parametersNamed(pattern, network, `--freeze ${pattern}`).map(({ name }) => name)))
  const { parameters } = wholeLayoutOf(network)
  if (parameters.every((parameter) => isStatistic(parameter) || named.has(parameter.name))) {
    throw new UsageError(`--freeze ${patterns.join(',')}: these are all parameters of network ${network.name}, and nothing is left to train: freeze the backbone alone, for example.`)
  }
  const frozen = parameters.filter((parameter) => (isStatistic(parameter) ? hasFrozenNorm(layerOf(parameter), named) : named.has(parameter.name)))
  return { ...network, frozen: frozen.map(({ name }) => name) }
}

/** Returns the network with nothing frozen: as it is used once it is trained. */
export function thawed(network: Network): Network {
  const whole = { ...network }
  delete whole.frozen
  return whole
}

/** Takes the parameters that are exchanged and stepped out of a vector of all. @param whole layout `wholeLayoutOf`; it is returned itself if nothing is frozen */
export function trainedOf(network: Network, whole: Float32Array): Float32Array {
  return network.frozen === undefined ? whole : pickedFrom(network, whole, layoutOf(network))
}

/** Takes the frozen parameters out of a vector of all. @param whole layout `wholeLayoutOf` */
export function frozenOf(network: Network, whole: Float32Array): Float32Array {
  return pickedFrom(network, whole, frozenLayoutOf(network))
}

/**
 * Puts trained and frozen parameters together.
 * @param trained layout `layoutOf`; it is returned itself if nothing is frozen
 * @param frozen layout `frozenLayoutOf`
 * @returns layout `wholeLayoutOf`
 */
export function wholeOf(network: Network, trained: Float32Array, frozen: Float32Array): Float32Array {
  if (network.frozen === undefined) return trained
  const layout = wholeLayoutOf(network)
  const whole = new Float32Array(layout.size)
  let [inTrained, inFrozen] = [0, 0]
  for (const parameter of layout.parameters) {
    const { size } = parameter
    if (parameter.frozen === true) viewOf(whole, parameter).set(frozen.subarray(inFrozen, (inFrozen += size)))
    else viewOf(whole, parameter).set(trained.subarray(inTrained, (inTrained += size)))
  }
  return whole
}

function pickedFrom(network: Network, whole: Float32Array, { parameters, size }: Layout): Float32Array {
  const places = new Map(wholeLayoutOf(network).parameters.map((parameter) => [parameter.name, parameter]))
  const picked = new Float32Array(size)
  for (const parameter of parameters) viewOf(picked, parameter).set(viewOf(whole, places.get(parameter.name)!))
  return picked
}
