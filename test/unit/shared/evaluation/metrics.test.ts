import assert from 'node:assert/strict'
import test from 'node:test'
import { calibrationOf } from '../../../../shared/evaluation/calibration.ts'
import { classMetrics, meansOf } from '../../../../shared/evaluation/class_metrics.ts'
import { countPredictions } from '../../../../shared/evaluation/confusion.ts'
import { confidentMistakes, labelProbabilities, likelyWrongLabels } from '../../../../shared/evaluation/doubts.ts'
import { foremost } from '../../../../shared/kit/foremost.ts'

const closeTo = (actual: readonly number[], expected: readonly number[]): void => actual.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) < 1e-12, `${value} at ${index}, where ${expected[index]} was expected`))

test('precision, recall and F1 are those of scikit-learn, for classes without a prediction or an image too', () => {
  const labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3]
  const predicted = [0, 0, 1, 2, 1, 1, 0, 2, 2, 2, 1, 0, 2]
  const metrics = classMetrics(countPredictions(labels.map((label, index) => ({ label, predicted: predicted[index] })), 5), 5)
  // scikit-learn 1.9.1: precision_recall_fscore_support(labels, predicted, labels=[0, 1, 2, 3, 4], zero_division=0), and with average="macro" and "weighted"
  closeTo(metrics.map(({ precision }) => precision), [0.5, 0.5, 0.6, 0, 0])
  closeTo(metrics.map(({ recall }) => recall), [0.5, 0.6666666666666666, 0.6, 0, 0])
  closeTo(metrics.map(({ f1 }) => f1), [0.5, 0.5714285714285714, 0.6, 0, 0])
  const { macro, weighted } = meansOf(metrics)
  closeTo([macro.precision, macro.recall, macro.f1], [0.32, 0.35333333333333333, 0.33428571428571424])
  closeTo([weighted.precision, weighted.recall, weighted.f1], [0.5, 0.5384615384615384, 0.5164835164835165])
  assert.deepEqual(metrics[2], { images: 5, predicted: 5, correct: 3, precision: 0.6, recall: 0.6, f1: 0.6 })
})

test('a thousand classes, counted sparsely, have the same figures', () => {
  const predictions = [[0, 0], [0, 999], [999, 999], [500, 999]].map(([label, predicted]) => ({ label, predicted }))
  const metrics = classMetrics(countPredictions(predictions, 1000), 1000)
  closeTo([metrics[0].precision, metrics[0].recall, metrics[999].precision, metrics[999].recall, metrics[500].f1], [1, 0.5, 1 / 3, 1, 0])
})

test('the calibration error is that of Guo et al., with ranges that are closed above', () => {
  const probabilities = [0.95, 0.92, 0.85, 0.62, 0.61, 0.55, 0.35, 0.2, 1, 0.4]
  const right = [1, 1, 0, 1, 0, 1, 0, 1, 1, 1]
  const predictions = probabilities.map((probability, index) => ({ label: 0, predicted: 1 - right[index], probability }))
  const { error, overconfidence, images, bins } = calibrationOf(predictions)
  // The same by numpy, from the sum over |mean(right) - mean(probability)| of each range, weighted by its share.
  closeTo([error, overconfidence, calibrationOf(predictions, 5).error, calibrationOf(predictions, 10).error], [0.271, -0.055, 0.245, 0.271])
  assert.deepEqual([images, bins.length, bins[14].images, bins[0]], [10, 15, 2, { from: 0, to: 1 / 15, images: 0, confidence: 0, accuracy: 0 }])
  closeTo([bins[14].confidence, bins[14].accuracy, bins[9].confidence, bins[9].accuracy], [0.975, 1, 0.615, 0.5])
  // One in each of two ranges: |1 - 0.5| / 2 + |0 - 0.75| / 2.
  closeTo([calibrationOf([{ label: 0, predicted: 0, probability: 0.5 }, { label: 0, predicted: 1, probability: 0.75 }], 4).error], [0.625])
})

test('a diverged network, whose probabilities are no numbers, has no calibration', () => {
  const { images, error, overconfidence } = calibrationOf([{ label: 0, predicted: 0, probability: NaN }])
  assert.deepEqual([images, error, overconfidence], [0, 0, 0])
  assert.deepEqual(confidentMistakes([{ sample: 0, label: 1, predicted: 0, probability: NaN }], 3), { first: [], count: 0 })
})

test('the surest of the wrong predictions are found, and all are counted', () => {
  const predictions = [[0, 0.5, 1], [1, 0.9, 0], [2, 0.7, 1], [3, 0.9, 1], [4, 0.8, 1]].map(([sample, probability, predicted]) => ({ sample, label: 0, predicted, probability }))
  assert.deepEqual(confidentMistakes(predictions, 2), { first: [predictions[3], predictions[4]], count: 4 })
})

test('a label is likely wrong if another class is as sure as it is of its own images on average, the widest gap first', () => {
  const of = (sample: number, label: number, own: number): { sample: number; label: number; predicted: number; probability: number; labelProbability: number } => ({
    sample, label, predicted: own >= 0.5 ? label : 1 - label, probability: Math.max(own, 1 - own), labelProbability: own,
  })
  const predictions = [of(0, 0, 0.9), of(1, 0, 0.8), of(2, 0, 0.1), of(3, 0, 0.3), of(4, 1, 0.9), of(5, 1, 0.7), of(6, 1, 0.45)]
  // Mean probability of the label: class 0 has 0.525, class 1 has 0.68333. Sample 6 is taken for class 0 with 0.55, 2 and 3 for class 1 with 0.9 and 0.7.
  assert.deepEqual(likelyWrongLabels(predictions, 2, 9), { first: [predictions[2], predictions[3], predictions[6]], count: 3 })
  assert.deepEqual(likelyWrongLabels(predictions, 2, 1), { first: [predictions[2]], count: 3 })
  // Images of class 0 have 0.95 for it on average now, more than the 0.55 of sample 6.
  const surer = [of(0, 0, 0.95), of(1, 0, 0.95), ...predictions.slice(4)]
  assert.deepEqual(likelyWrongLabels(surer, 3, 9), { first: [], count: 0 })
})

test('the probability of a label is the softmax of its logit', () => {
  closeTo(labelProbabilities(Float32Array.from([0, 0, Math.log(2), 5, 5, 5]), [2, 0], 3).map((value) => Math.round(value * 1e6) / 1e6), [0.5, 0.333333])
})

test('the foremost of many items are those that sorting would put first', () => {
  const items = Array.from({ length: 500 }, (_, index) => ({ index, score: (index * 7919) % 101 }))
  const sorted = items.toSorted((a, b) => b.score - a.score || a.index - b.index)
  for (const count of [0, 1, 7, 500, 900]) assert.deepEqual(foremost(items, count, ({ score }) => score), sorted.slice(0, count), `${count}`)
})
