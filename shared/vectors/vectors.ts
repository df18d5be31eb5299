import { BLOCK_FLOATS, sumKernel } from './sum_kernel.ts'

/** Arithmetic on whole gradient vectors, by the kernel or, if this processor has none, in plain TypeScript with the same bits. */

const kernel = sumKernel()

/** Adds `right` to `left` element by element in float32, and returns `left`. */
export const addInto = kernel?.add ?? plainAddInto

/** Sums the squares of at most 2^40 values in float64: the sum is finite if and only if all values are. */
export const sumOfSquares = kernel?.sumOfSquares ?? plainSumOfSquares

/** Allocates a vector that is never freed, where `addInto` and `sumOfSquares` are fastest. Its contents are undefined. */
export function lastingVector(length: number): Float32Array {
  return kernel?.allocate(length) ?? new Float32Array(length)
}

/** Does the same as `addInto` in plain TypeScript. */
export function plainAddInto(left: Float32Array, right: Float32Array): Float32Array {
  for (let i = 0; i < left.length; i++) left[i] += right[i]
  return left
}

/** Does the same as `sumOfSquares` in plain TypeScript. */
export function plainSumOfSquares(values: Float32Array): number {
  let sum = 0
  for (let begin = 0; begin < values.length; begin += BLOCK_FLOATS) sum += squaresOfPart(values.subarray(begin, begin + BLOCK_FLOATS))
  return sum
}

/** Sums squares in four independent sums, since each addition to one sum would wait for the one before. */
function squaresOfPart(values: Float32Array): number {
  let sum0 = 0
  let sum1 = 0
  let sum2 = 0
  let sum3 = 0
  const wholeFours = values.length & ~3
  let i = 0
  for (; i < wholeFours; i += 4) {
    sum0 += values[i] * values[i]
    sum1 += values[i + 1] * values[i + 1]
    sum2 += values[i + 2] * values[i + 2]
    sum3 += values[i + 3] * values[i + 3]
  }
  for (; i < values.length; i++) sum0 += values[i] * values[i]
  return sum0 + sum1 + (sum2 + sum3)
}
