import type { Sample } from '../data/dataset.ts'
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
  /** confusion[label][predicted] counts images. */
  confusion: number[][]
  predictions: TestPrediction[]
}

/**
 * Combines the blocks of an evaluation. Losses are float64 and are added in the order of blocks, so that the result depends
 * neither on which worker computed them nor on when.
 * @param test ids of the evaluated samples, as they were cut into blocks.
 */
export function scoreTest(blocks: readonly EvaluatedBlock[], samples: readonly Sample[], test: readonly number[], classes: number): TestScore {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  const predictions = blocks.flatMap((block, index) =>
    blockSamples(test, index).map((sample, row) => ({ sample, label: samples[sample].class, predicted: block.predicted[row], probability: block.probability[row] })),
  )
  for (const { label, predicted } of predictions) confusion[label][predicted]++
  const correct = confusion.reduce((sum, row, label) => sum + row[label], 0)
  const lossSum = blocks.reduce((sum, block) => sum + block.lossSum, 0)
  return { loss: lossSum / test.length, accuracy: correct / test.length, confusion, predictions }
}

/** Counts the images of each class and those that are classified correctly, by class name. */
export function scoreClasses(confusion: readonly (readonly number[])[], classes: readonly string[]): Record<string, { images: number; correct: number; accuracy: number }> {
  return Object.fromEntries(
    classes.map((name, label) => {
      const images = confusion[label].reduce((a, b) => a + b, 0)
      const correct = confusion[label][label]
      return [name, { images, correct, accuracy: images === 0 ? 0 : correct / images }]
    }),
  )
}
