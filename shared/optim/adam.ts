import { isStatistic, type Layout } from '../model/layout.ts'

/** As in Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1. */
const adamConstants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }

/** What a step changes: three flat vectors in the layout's order. */
export interface OptimizerState {
  parameters: Float32Array
  /** First and second moments of the gradient. */
  m: Float32Array
  v: Float32Array
}

/**
 * Steps all elements of views of equal length. Two do, with the same bits: `stepViews`, and the kernel of shared/optim/adam_kernel.ts
 * for states in its memory.
 * @param coefficients eight: beta1, 1 - beta1, beta2, 1 - beta2, lr / (1 - b1^t), sqrt(1 - b2^t), epsilon, count
 */
export type StepElements = (sum: Float32Array, from: OptimizerState, to: OptimizerState, coefficients: Float32Array) => void

/**
 * One Adam step over a range of the vector, so that a range can be stepped as soon as its gradient is complete. Every
 * operation is rounded to float32 (`Math.fround`), and float32 results of + - * / and sqrt do not depend on the
 * machine: the formula itself fixes the bits.
 *
 *   g = sum / count                         m = b1 m + (1 - b1) g          v = b2 v + (1 - b2) g g
 *   p = p - (lr / (1 - b1^t)) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
 *
 * Running statistics are not stepped: they keep `momentum` of themselves and take the rest from the batch.
 *
 * @param range elements begin <= i < end
 * @param sum gradient summed over the batch; element 0 belongs to vector element `range.begin`
 * @param count samples in the batch: the one division of the whole reduce
 * @param t number of this update, from 1
 * @param from state before the step
 * @param to state after the step; may be `from`
 * @param stepElements the inner loop
 */
export function adamStep(
  layout: Layout, range: { begin: number; end: number }, sum: Float32Array, count: number, t: number, learningRate: number, from: OptimizerState, to: OptimizerState,
  stepElements: StepElements = stepViews,
): void {
  const coefficients = adamCoefficients(count, t, learningRate)
  for (const parameter of layout.parameters) {
    const begin = Math.max(range.begin, parameter.offset)
    const end = Math.min(range.end, parameter.offset + parameter.size)
    if (begin >= end) continue
    if (isStatistic(parameter)) average(begin, end, range.begin, sum, count, parameter.momentum ?? 0, from.parameters, to.parameters)
    else stepElements(sum.subarray(begin - range.begin, end - range.begin), viewOfRange(from, begin, end), viewOfRange(to, begin, end), coefficients)
  }
}

/** What the inner loop multiplies and divides by, as float32: see `StepElements`. */
export function adamCoefficients(count: number, t: number, learningRate: number): Float32Array {
  const { beta1, beta2, epsilon } = adamConstants
  return new Float32Array([beta1, 1 - beta1, beta2, 1 - beta2, learningRate / (1 - beta1 ** t), Math.sqrt(1 - beta2 ** t), epsilon, count])
}

function viewOfRange(state: OptimizerState, begin: number, end: number): OptimizerState {
  return { parameters: state.parameters.subarray(begin, end), m: state.m.subarray(begin, end), v: state.v.subarray(begin, end) }
}

/** The inner loop in plain TypeScript. Views that begin at 0: V8 made a loop with an offset ten times as slow after some steps. */
export function stepViews(sum: Float32Array, from: OptimizerState, to: OptimizerState, coefficients: Float32Array): void {
  const f = Math.fround
  const [beta1, rest1, beta2, rest2, stepSize, correction, epsilon, samples] = coefficients
  const { parameters, m, v } = from
  const { parameters: parametersNext, m: mNext, v: vNext } = to
  for (let i = 0; i < sum.length; i++) {
    const g = f(sum[i] / samples)
    const mi = f(f(beta1 * m[i]) + f(rest1 * g))
    const vi = f(f(beta2 * v[i]) + f(rest2 * f(g * g)))
    const denominator = f(f(f(Math.sqrt(vi)) / correction) + epsilon)
    mNext[i] = mi
    vNext[i] = vi
    parametersNext[i] = f(parameters[i] - f(f(stepSize * mi) / denominator))
  }
}

function average(begin: number, end: number, origin: number, sum: Float32Array, count: number, momentum: number, from: Float32Array, to: Float32Array): void {
  const f = Math.fround
  const keep = f(momentum)
  const take = f(1 - momentum)
  const samples = f(count)
  for (let i = begin; i < end; i++) to[i] = f(f(keep * from[i]) + f(take * f(sum[i - origin] / samples)))
}
