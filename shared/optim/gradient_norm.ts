import { isStatistic, type Layout } from '../model/layout.ts'
import { sumOfSquares } from '../vectors/vectors.ts'

/**
 * The squares of a step's gradient, chunk by chunk as the chunks are summed, for its norm. Whoever owns a range of the vector has
 * those of its chunks.
 */
export class GradientSquares {
  readonly #layout: Layout
  readonly #squares = new Map<number, number>()

  constructor(layout: Layout) {
    this.#layout = layout
  }

  /**
   * @param sum gradient over the whole batch, of this range; what belongs to running statistics is no gradient, and left out
   * @param squares of all of the sum
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

  /** The sum of squares of each chunk that was added, in the vector's order. */
  get inOrder(): number[] {
    return [...this.#squares].sort(([a], [b]) => a - b).map(([, squares]) => squares)
  }
}

/**
 * Norm (L2) of the mean gradient over a batch. The chunks' squares are added in float64 in the vector's order, so that it depends
 * neither on the cluster, nor on who summed which chunks, nor on the order in which they were complete.
 */
export function gradientNorm(squaresInOrder: readonly number[], samples: number): number {
  return Math.sqrt(squaresInOrder.reduce((sum, squares) => sum + squares, 0)) / samples
}

/**
 * Factor of the gradient when it is clipped by its norm: PyTorch's clip_grad_norm_.
 * @param maxNorm norm that the mean gradient may have
 */
export function clipScale(maxNorm: number, norm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6))
}
