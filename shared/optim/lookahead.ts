import { z } from 'zod'
import type { Optimizer, OptimizerState, StepElements, StepNumbers } from './optimizer.ts'

/**
 * Schema of Lookahead (Zhang, Lucas, Hinton and Ba, "Lookahead Optimizer: k steps forward, 1 step back", 2019, algorithm 1): after every `every`
 * updates the weights go back to a point between them and the slow weights, at `share` of the way, which become the slow weights.
 */
export const lookaheadSchema = z.strictObject({ every: z.int().min(1).default(5), share: z.number().gt(0).max(1).default(0.5) })
export type Lookahead = z.infer<typeof lookaheadSchema>

/** Name of the moment that holds the slow weights. */
export const SLOW = 'slow'

/** Lets an optimizer look ahead. The slow weights are its last moment. Running statistics are averages already, and stay as they are. */
export function lookingAhead(base: Optimizer, lookahead: Lookahead): Optimizer {
  return {
    ...base,
    base,
    moments: [...base.moments, SLOW],
    stepViews: withSlowWeights(base.stepViews),
    coefficients: (step, decays) => Float32Array.of(...base.coefficients(step, decays), shareOf(step, lookahead)),
  }
}

/**
 * Computes the share of the way at which slow weights and weights meet after an update: 0 leaves both as they are, and 1 makes the weights the
 * slow ones. The first time is one of the latter, since slow weights begin with what is there.
 */
function shareOf({ update }: StepNumbers, { every, share }: Lookahead): number {
  if (update % every !== 0) return 0
  return update === every ? 1 : share
}

/** Lets an inner loop look ahead. Its coefficients have one more at their end, the share. Every operation is rounded to float32. */
export function withSlowWeights(stepElements: StepElements): StepElements {
  return (sum, from, to, coefficients) => {
    stepElements(sum, withoutSlow(from), withoutSlow(to), coefficients.subarray(0, -1))
    meet(slowOf(from), slowOf(to), to.parameters, coefficients[coefficients.length - 1])
  }
}

/** @param weights after the update, replaced by the point where they meet the slow ones */
function meet(slow: Float32Array, slowNext: Float32Array, weights: Float32Array, share: number): void {
  if (share === 0) {
    if (slowNext !== slow) slowNext.set(slow)
  } else if (share === 1) slowNext.set(weights)
  else {
    const f = Math.fround
    for (let i = 0; i < weights.length; i++) weights[i] = slowNext[i] = f(slow[i] + f(share * f(weights[i] - slow[i])))
  }
}

function slowOf({ moments }: OptimizerState): Float32Array {
  return moments[moments.length - 1]
}

function withoutSlow({ parameters, moments }: OptimizerState): OptimizerState {
  return { parameters, moments: moments.slice(0, -1) }
}
