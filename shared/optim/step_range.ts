import { isStatistic, type Layout, type Parameter } from '../model/layout.ts'
import type { Range } from '../vectors/chunks.ts'
import { viewOfState, type Optimizer, type OptimizerState, type StepElements, type StepNumbers } from './optimizer.ts'

/**
 * Steps one range of the vector, so that it can be stepped as soon as its gradient is complete. Running statistics are not stepped: they keep
 * `momentum` of themselves and take the rest from the batch's mean.
 * @param range elements begin <= i < end
 * @param sum gradient summed over the batch; its element 0 belongs to element `range.begin` of the vector
 * @param from state before the step
 * @param to state after the step; may be `from`
 * @param stepElements inner loop: the optimizer's plain one, or its kernel
 */
export function stepRange(
  layout: Layout, optimizer: Optimizer, { range, sum, step, from, to }: { range: Range; sum: Float32Array; step: StepNumbers; from: OptimizerState; to: OptimizerState },
  stepElements: StepElements = optimizer.stepViews,
): void {
  const coefficients = coefficientsOf(optimizer, step)
  for (const parameter of layout.parameters) {
    const part = { begin: Math.max(range.begin, parameter.offset), end: Math.min(range.end, parameter.offset + parameter.size) }
    if (part.begin >= part.end) continue
    const sumOfPart = sum.subarray(part.begin - range.begin, part.end - range.begin)
    const before = viewOfState(from, part)
    const after = viewOfState(to, part)
    if (isStatistic(parameter)) average(sumOfPart, step.samples, parameter.momentum ?? 0, before.parameters, after.parameters)
    else stepElements(sumOfPart, before, after, coefficients(parameter))
  }
}

/** Computes the coefficients of each parameter, once for all that have the same. */
function coefficientsOf(optimizer: Optimizer, step: StepNumbers): (parameter: Parameter) => Float32Array {
  const known = new Map<string, Float32Array>()
  return ({ role, rateFactor = 1 }) => {
    const key = `${role === 'kernel'} ${rateFactor}`
    const found = known.get(key) ?? optimizer.coefficients({ ...step, rate: step.rate * rateFactor }, role === 'kernel')
    known.set(key, found)
    return found
  }
}

function average(sum: Float32Array, count: number, momentum: number, from: Float32Array, to: Float32Array): void {
  const f = Math.fround
  const keep = f(momentum)
  const take = f(1 - momentum)
  const samples = f(count)
  for (let i = 0; i < sum.length; i++) to[i] = f(f(keep * from[i]) + f(take * f(sum[i] / samples)))
}
