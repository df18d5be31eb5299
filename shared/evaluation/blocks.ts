import { exponentialOf, logarithmOf } from '../kit/exponential.ts'
import type { Network } from '../model/network.ts'

/** Number of test images in a block. Blocks are the unit that is dealt to workers, and losses are added in the order of blocks. */
const EVALUATION_BLOCK = 32

export interface EvaluatedBlock {
  /** Cross entropy summed over the block's samples. */
  lossSum: number
  /** Index of the predicted class, and its probability, for each sample. */
  predicted: number[]
  probability: number[]
}

/** Returns the sample ids of one block of the test set. */
export function blockSamples(test: readonly number[], block: number): number[] {
  return test.slice(block * EVALUATION_BLOCK, (block + 1) * EVALUATION_BLOCK)
}

export function blockCount(test: readonly number[]): number {
  return Math.ceil(test.length / EVALUATION_BLOCK)
}

/**
 * Computes the softmax of one row of logits in float64, shifted by the maximum so that nothing overflows.
 */
export function softmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const exponentials = Float64Array.from(logits, (logit) => exponentialOf(logit - largest))
  const sum = exponentials.reduce((a, b) => a + b, 0)
  return exponentials.map((value) => value / sum)
}

/** Returns the index of the largest value, the first one of equal values. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i
  return best
}

/**
 * Computes the loss (cross entropy without label smoothing) and the predictions of one block.
 * @param logits float32 [labels, classes]
 */
export function evaluateBlock(network: Network, logits: Float32Array, labels: readonly number[]): EvaluatedBlock {
  const result: EvaluatedBlock = { lossSum: 0, predicted: [], probability: [] }
  labels.forEach((label, row) => {
    const probabilities = softmax(logits.subarray(row * network.classes, (row + 1) * network.classes))
    const predicted = argmax(probabilities)
    result.lossSum -= logarithmOf(Math.max(probabilities[label], Number.MIN_VALUE))
    result.predicted.push(predicted)
    result.probability.push(probabilities[predicted])
  })
  return result
}
