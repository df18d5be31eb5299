import { isStatistic, type Layout } from '../model/layout.ts'
import { sumOfSquares } from '../vectors/vectors.ts'

/**
 * The sums of squares of a step's gradient, collected chunk by chunk as the chunks are summed, to compute its norm. The owner of a range of the
 * vector has those of its own chunks.
 */
export class GradientSquares {
  readonly #layout: Layout
  readonly #squares = new Map<number, number>()

  constructor(layout: Layout) {
    this.#layout = layout
  }

  /**
   * Adds one chunk's sum of squares.
   * @param range the chunk's elements in the vector
   * @param sum the chunk's gradient over the whole batch; its running statistics are no gradient and are left out
   * @param squares sum of squares of all of `sum`
   */
  add(range: { begin: number; end: number }, sum: Float32Array, squares: number): void {
    const parts = this.#layout.parameters.map((parameter) => ({
      begin: Math.max(range.begin, parameter.offset), end: Math.min(range.end, parameter.offset + parameter.size), isGradient: !isStatistic(parameter),
    })).filter(({ begin, end }) => begin < end)
    const ofGradient = parts.every(({ isGradient }) => isGradient)
      ? squares
      : parts.filter(({ isGradient }) => isGradient).reduce((total, { begin, end }) => total + sumOfSquares(sum.subarray(begin - range.begin, end - range.begin)), 0)
    this.#squares.set(range.begin, ofGradient)
  }

  /** Sums of squares of the chunks that were added, in the vector's order. */
  get inOrder(): number[] {
    return [...this.#squares].sort(([a], [b]) => a - b).map(([, squares]) => squares)
  }
}

/**
 * Computes the L2 norm of the mean gradient over a batch. The chunks' sums of squares are added in float64 in the vector's order, so that the
 * norm depends neither on the cluster, nor on which process summed which chunk, nor on the order in which chunks became complete.
 * @param squaresInOrder sums of squares of the summed gradient, chunk by chunk
 * @param samples images in the batch
 */
export function gradientNorm(squaresInOrder: readonly number[], samples: number): number {
  return Math.sqrt(squaresInOrder.reduce((sum, squares) => sum + squares, 0)) / samples
}

/**
 * Computes the factor by which a gradient is multiplied to clip its norm, as PyTorch's clip_grad_norm_ does.
 * @param maxNorm largest norm that the mean gradient may have
 * @param norm norm of the mean gradient
 * @returns at most 1
 */
export function clipScale(maxNorm: number, norm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6))
}
