import { z } from 'zod'
import { powerOf } from '../kit/exponential.ts'
import { lookaheadSchema } from './lookahead.ts'
import { defineOptimizer, type StepElements, type StepNumbers } from './optimizer.ts'

/** Options of Adam, with the default constants of Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1. */
export const adamShape = {
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: z.number().positive().finite().default(1e-8),
}
export const adamMoments = ['m', 'v'] as const

/**
 * Adam. Every operation is rounded to float32 (`Math.fround`). Float32 results of + - * / and sqrt do not depend on the machine, so the formula
 * alone determines the bits:
 *
 *   g = sum / samples * scale              m = b1 m + (1 - b1) g          v = b2 v + (1 - b2) g g
 *   p = p - (rate / (1 - b1^t)) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
 */
export const adam = defineOptimizer({
  schema: z.strictObject({ name: z.literal('adam'), ...adamShape, lookahead: lookaheadSchema.optional() }),
  moments: adamMoments,
  kernel: 'adam',
  stepViews: stepAdamViews,
  coefficients: (options, step) => adamCoefficients(options, step, 1),
})

/**
 * Computes the coefficients of `stepAdamViews` that follow samples and scale.
 * @param keep factor of the parameters by decoupled weight decay; 1 (no decay) leaves every bit as it is
 */
export function adamCoefficients({ beta1, beta2, epsilon }: { beta1: number; beta2: number; epsilon: number }, { update, rate }: StepNumbers, keep: number): number[] {
  return [keep, beta1, 1 - beta1, beta2, 1 - beta2, rate / (1 - powerOf(beta1, update)), Math.sqrt(1 - powerOf(beta2, update)), epsilon]
}

/** Steps elements by Adam or AdamW in plain TypeScript: the inner loop that the kernel is held to. */
export function stepAdamViews(...[sum, from, to, coefficients]: Parameters<StepElements>): void {
  const f = Math.fround
  const [samples, scale, keep, beta1, rest1, beta2, rest2, stepSize, correction, epsilon] = coefficients
  const { parameters, moments: [m, v] } = from
  const { parameters: parametersNext, moments: [mNext, vNext] } = to
  for (let i = 0; i < sum.length; i++) {
    const g = f(f(sum[i] / samples) * scale)
    const mi = f(f(beta1 * m[i]) + f(rest1 * g))
    const vi = f(f(beta2 * v[i]) + f(rest2 * f(g * g)))
    const denominator = f(f(f(Math.sqrt(vi)) / correction) + epsilon)
    mNext[i] = mi
    vNext[i] = vi
    parametersNext[i] = f(f(keep * parameters[i]) - f(f(stepSize * mi) / denominator))
  }
}
