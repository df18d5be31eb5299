import { foremost } from '../kit/foremost.ts'
import { softmax } from './blocks.ts'
import type { TestPrediction } from './score.ts'

/** A prediction, with the probability of the class that the image is labelled as. */
export interface LabelledPrediction extends TestPrediction {
  labelProbability: number
}

/** The first of some images, and how many there are. */
export interface Found<T> {
  first: T[]
  count: number
}

/** Finds the predictions that are wrong, those with the highest probability first. @param limit most to return */
export function confidentMistakes(predictions: readonly TestPrediction[], limit: number): Found<TestPrediction> {
  const wrong = predictions.filter(({ label, predicted, probability }) => label !== predicted && Number.isFinite(probability))
  return { first: foremost(wrong, limit, ({ probability }) => probability), count: wrong.length }
}

/**
 * Computes the probability of each image's label.
 * @param logits float32 [labels, classes]
 */
export function labelProbabilities(logits: Float32Array, labels: readonly number[], classes: number): number[] {
  return labels.map((label, row) => softmax(logits.subarray(row * classes, (row + 1) * classes))[label])
}

/**
 * Finds images whose label is likely wrong, by confident learning (C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
 * Labels", JAIR 2021): those predicted as another class, with a probability of at least the mean that this class has for images labelled as it. Classes other than
 * the likeliest one are not looked at. The predictions must be of images that were not trained on.
 * @param classes number of classes
 * @param limit most images to return
 * @returns those with the largest gap between the probabilities of the predicted class and of the label first
 */
export function likelyWrongLabels(predictions: readonly LabelledPrediction[], classes: number, limit: number): Found<LabelledPrediction> {
  const sums = Array.from({ length: classes }, () => ({ images: 0, probability: 0 }))
  for (const { label, labelProbability } of predictions) {
    sums[label].images++
    sums[label].probability += labelProbability
  }
  // A class without images has no mean, and NaN is never reached.
  const least = sums.map(({ images, probability }) => probability / images)
  const doubtful = predictions.filter(({ label, predicted, probability }) => label !== predicted && probability >= least[predicted])
  return { first: foremost(doubtful, limit, ({ probability, labelProbability }) => probability - labelProbability), count: doubtful.length }
}
