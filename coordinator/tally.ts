import type { Sample } from '../shared/data/dataset.ts'
import { blockSamples } from '../shared/train/evaluation.ts'
import type { LaneReport } from '../shared/wire/messages.ts'
import type { BlockResult } from './cluster.ts'

/** Loss and accuracy of some images. */
export interface Score {
  loss: number
  accuracy: number
}

/** Training sums of one epoch so far: float64, added in the order of lanes, so that they do not depend on the cluster. */
export interface EpochSums {
  lossSum: number
  correct: number
  images: number
  seconds: number
}

export const emptySums: EpochSums = { lossSum: 0, correct: 0, images: 0, seconds: 0 }

export function addStep(sums: EpochSums, lanes: readonly LaneReport[], seconds: number): EpochSums {
  return lanes.reduce(
    (total, lane) => ({ ...total, lossSum: total.lossSum + lane.lossSum, correct: total.correct + lane.correct, images: total.images + lane.samples }),
    { ...sums, seconds: sums.seconds + seconds },
  )
}

export function scoreOf(sums: EpochSums): Score {
  return { loss: sums.lossSum / sums.images, accuracy: sums.correct / sums.images }
}

/** One test image and what the network says of it. */
export interface TestPrediction {
  sample: number
  label: number
  predicted: number
  probability: number
}

export interface TestScore extends Score {
  /** confusion[label][predicted] counts test images. */
  confusion: number[][]
  predictions: TestPrediction[]
}

/** Puts the blocks of an evaluation together. */
export function scoreTest(blocks: readonly BlockResult[], samples: readonly Sample[], test: readonly number[], classes: number): TestScore {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  const predictions = blocks.flatMap((block, index) =>
    blockSamples(test, index).map((sample, row) => ({ sample, label: samples[sample].class, predicted: block.predicted[row], probability: block.probability[row] })),
  )
  for (const { label, predicted } of predictions) confusion[label][predicted]++
  const correct = confusion.reduce((sum, row, label) => sum + row[label], 0)
  const lossSum = blocks.reduce((sum, block) => sum + block.lossSum, 0)
  return { loss: lossSum / test.length, accuracy: correct / test.length, confusion, predictions }
}
