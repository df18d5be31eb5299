import { BLOCK_FLOATS, sumKernel } from './sum_kernel.ts'

/** What is done with whole vectors of gradients, by the kernel or, where this processor has none, in plain TypeScript: with the same bits. */

const kernel = sumKernel()

/** left += right, element by element in float32. */
export const addInto = kernel?.add ?? plainAddInto

/** Sum of the squares of at most 2^40 values, in float64: finite if and only if all values are. */
export const sumOfSquares = kernel?.sumOfSquares ?? plainSumOfSquares

/** A vector that is kept for good, where `addInto` and `sumOfSquares` are fastest. Not all zeros. */
export function lastingVector(length: number): Float32Array {
  return kernel?.allocate(length) ?? new Float32Array(length)
}

/** As `addInto`, in plain TypeScript. */
export function plainAddInto(left: Float32Array, right: Float32Array): Float32Array {
  for (let i = 0; i < left.length; i++) left[i] += right[i]
  return left
}

/** As `sumOfSquares`, in plain TypeScript. */
export function plainSumOfSquares(values: Float32Array): number {
  let sum = 0
  for (let begin = 0; begin < values.length; begin += BLOCK_FLOATS) sum += squaresOfPart(values.subarray(begin, begin + BLOCK_FLOATS))
  return sum
}

/** Four sums, since each waits for its last addition. */
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
