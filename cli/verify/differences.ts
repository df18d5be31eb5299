import type { ChainLink } from '../../shared/audit/chain.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import { bytesOf } from '../../shared/kit/floats.ts'
import { parameterAt, type Layout } from '../../shared/model/layout.ts'
import type { OptimizerState } from '../../shared/optim/optimizer.ts'

/**
 * Compares an audited step with what was noted of it.
 * @param noted its line in the chain
 * @param lanes reports of its lanes, as computed here
 * @param weights digest of the weights after it, as computed here
 * @param agreed number of steps up to which all is known to agree @param begun checkpoint whose state is there; undefined: the state was computed here
 * @returns the difference, as a clause; undefined if there is none
 */
export function differenceOfStep(noted: ChainLink, lanes: readonly LaneReport[], weights: string, { agreed, begun }: { agreed: number; begun: string | undefined }): string | undefined {
  const others = lanes.filter(({ lane, digest }) => digest !== noted.lanes[lane]).map(({ lane }) => lane)
  // Lanes of a short batch can be empty: their gradient is zero, whatever came before.
  const computed = lanes.filter(({ samples }) => samples > 0).length
  if (others.length === 0) {
    if (weights === noted.weights) return undefined
    const moments = begun === undefined ? '' : `, or ${begun}, from which it was replayed, has other moments`
    return `step ${noted.step}: the gradient of every lane is the noted one, and the weights that follow from them are not: a lane was left out or counted twice, the step was another one, or the weights were changed${moments}`
  }
  const which = lanesInWords(others, lanes.length)
  if (agreed === noted.step - 1 || others.length < computed) return `step ${noted.step}, ${which}: the gradient is not the noted one`
  return `one of the steps ${agreed + 1} to ${noted.step}, of which the last alone is noted: there, in ${which}, the gradient is not the noted one`
}

/** Names the first of some lanes, and how many there are. @param lanes number of lanes of a step */
export function lanesInWords(others: readonly number[], lanes: number): string {
  if (others.length === 1) return `lane ${others[0]}`
  return `lane ${others[0]} first (${others.length} of ${lanes} lanes differ)`
}

/**
 * Compares two states of a network, bit for bit.
 * @param moments names of the moments
 * @returns the first element that differs, as a clause; undefined if there is none
 */
export function differenceOfStates(layout: Layout, moments: readonly string[], kept: OptimizerState, computed: OptimizerState): string | undefined {
  const vectors = [['', kept.parameters, computed.parameters] as const, ...moments.map((name, index) => [`${name} of `, kept.moments[index], computed.moments[index]] as const)]
  for (const [what, own, other] of vectors) {
    const at = firstDifference(own, other)
    const parameter = parameterAt(layout, at)
    if (at !== undefined && parameter !== undefined) return `${what}parameter ${parameter.name}, element ${at - parameter.offset}, is ${own[at]}, where ${other[at]} was computed here`
  }
  return undefined
}

/** Returns the index of the first element whose bits differ; undefined if there is none. */
function firstDifference(a: Float32Array, b: Float32Array): number | undefined {
  if (bytesOf(a).equals(bytesOf(b))) return undefined
  const [left, right] = [new Uint32Array(a.buffer, a.byteOffset, a.length), new Uint32Array(b.buffer, b.byteOffset, b.length)]
  return left.findIndex((bits, index) => bits !== right[index])
}
