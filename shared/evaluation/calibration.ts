import type { TestPrediction } from './score.ts'

/** Predictions whose probability lies in one range: above `from`, up to `to`. */
export interface CalibrationBin {
  from: number
  to: number
  images: number
  /** Mean probability of the predicted class, and share of the predictions that are right; both 0 without images. */
  confidence: number
  accuracy: number
}

/** How well probabilities tell how often a prediction is right. */
export interface Calibration {
  bins: CalibrationBin[]
  /** Images whose probability is a number; those of a diverged network have none. */
  images: number
  /** Expected calibration error, from 0 to 1: the mean distance between probability and accuracy of a range, weighted by its images. */
  error: number
  /** Mean probability less accuracy over all images: above 0, the network is surer than it should be. */
  overconfidence: number
}

/** Number of ranges in the paper that calibration errors are usually computed as in. */
const BINS = 15

/**
 * Sorts predictions by their probability into ranges of equal width, and computes the expected calibration error as C. Guo et al. do,
 * "On Calibration of Modern Neural Networks" (ICML 2017), equations 2 and 3: the m-th of M ranges is ((m - 1) / M, m / M].
 */
export function calibrationOf(predictions: Iterable<Pick<TestPrediction, 'label' | 'predicted' | 'probability'>>, bins = BINS): Calibration {
  const sums = Array.from({ length: bins }, () => ({ images: 0, probability: 0, correct: 0 }))
  for (const { label, predicted, probability } of predictions) {
    if (!Number.isFinite(probability)) continue
    const sum = sums[Math.min(Math.max(Math.ceil(probability * bins) - 1, 0), bins - 1)]
    sum.images++
    sum.probability += probability
    if (label === predicted) sum.correct++
  }
  const images = sums.reduce((all, sum) => all + sum.images, 0)
  const share = (value: number): number => (images === 0 ? 0 : value / images)
  return {
    bins: sums.map((sum, index) => ({
      from: index / bins, to: (index + 1) / bins, images: sum.images,
      confidence: sum.images === 0 ? 0 : sum.probability / sum.images,
      accuracy: sum.images === 0 ? 0 : sum.correct / sum.images,
    })),
    images,
    // images / all * |correct / images - probability / images|, of which the images of the range cancel out
    error: share(sums.reduce((all, { correct, probability }) => all + Math.abs(correct - probability), 0)),
    overconfidence: share(sums.reduce((all, { correct, probability }) => all + probability - correct, 0)),
  }
}
