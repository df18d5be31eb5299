import type { Samples } from '../data/columns/samples.ts'
import { countPredictions, resultsByClass, type Cell, type Confused } from './confusion.ts'
import { blockSamples, type EvaluatedBlock } from './blocks.ts'

/** Mean loss of some images, and the share of them that is classified correctly. */
export interface Score {
  loss: number
  accuracy: number
}

/** The network's prediction for one test image: sample id, index of the true and of the predicted class, and the probability of the latter. */
export interface TestPrediction {
  sample: number
  label: number
  predicted: number
  probability: number
}

export interface TestScore extends Score {
  /** confusion[label][predicted] counts images; see `Confused`. */
  confusion: number[][]
  cells?: Cell[]
  predictions: TestPrediction[]
}

/**
 * Combines the blocks of an evaluation. Losses are float64 and are added in the order of blocks, so that the result depends
 * neither on which worker computed them nor on when.
 * @param test ids of the evaluated samples, as they were cut into blocks.
 */
export function scoreTest(blocks: readonly EvaluatedBlock[], samples: Pick<Samples, 'classOf'>, test: readonly number[], classes: number): TestScore {
  const predictions = blocks.flatMap((block, index) =>
    blockSamples(test, index).map((sample, row) => ({ sample, label: samples.classOf(sample), predicted: block.predicted[row], probability: block.probability[row] })),
  )
  const correct = predictions.filter(({ label, predicted }) => label === predicted).length
  const lossSum = blocks.reduce((sum, block) => sum + block.lossSum, 0)
  return { loss: lossSum / test.length, accuracy: correct / test.length, ...countPredictions(predictions, classes), predictions }
}

/** Counts the images of each class and those that are classified correctly, by class name. */
export function scoreClasses(confused: Confused, classes: readonly string[]): Record<string, { images: number; correct: number; accuracy: number }> {
  const results = resultsByClass(confused, classes.length)
  return Object.fromEntries(classes.map((name, label) => [name, { ...results[label], accuracy: results[label].images === 0 ? 0 : results[label].correct / results[label].images }]))
}
