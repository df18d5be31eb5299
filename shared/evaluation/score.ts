import type { Sample } from '../data/dataset.ts'
import { blockSamples, type EvaluatedBlock } from './blocks.ts'

/** Loss and accuracy of some images. */
export interface Score {
  loss: number
  accuracy: number
}

/** One image and what the network says of it. */
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
 * Puts the blocks of an evaluation together. Losses are float64, added in the order of blocks, so that they depend
 * neither on who computed them nor on when.
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

/** How many images of each class there are and how many of them are recognised, in the order of the classes. */
export function scoreClasses(confusion: readonly (readonly number[])[], classes: readonly string[]): Record<string, { images: number; correct: number; accuracy: number }> {
  return Object.fromEntries(
    classes.map((name, label) => {
      const images = confusion[label].reduce((a, b) => a + b, 0)
      const correct = confusion[label][label]
      return [name, { images, correct, accuracy: images === 0 ? 0 : correct / images }]
    }),
  )
}
