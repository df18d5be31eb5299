import assert from 'node:assert/strict'
import test from 'node:test'
import { cellsOf, countPredictions, mostConfused, partOf, resultsByClass } from '../../../shared/evaluation/confusion.ts'

const predictions = [[0, 0], [0, 1], [1, 1], [1, 1], [2, 1], [2, 1]].map(([label, predicted]) => ({ label, predicted }))

test('few classes make a matrix, and many a list of what occurred; both say the same', () => {
  const few = countPredictions(predictions, 3)
  assert.deepEqual(few, { confusion: [[1, 1, 0], [0, 2, 0], [0, 2, 0]] })
  const many = countPredictions(predictions, 20_000)
  assert.deepEqual(many, { confusion: [], cells: [[0, 0, 1], [0, 1, 1], [1, 1, 2], [2, 1, 2]] })
  assert.deepEqual(cellsOf(few), cellsOf(many))
  assert.deepEqual(resultsByClass(few, 3), [{ images: 2, correct: 1 }, { images: 2, correct: 2 }, { images: 2, correct: 0 }])
  assert.deepEqual(resultsByClass(many, 20_000).slice(0, 3), resultsByClass(few, 3))
})

test('the classes that are confused most are picked by what they are taken for and what is taken for them', () => {
  const confused = countPredictions(predictions, 3)
  assert.deepEqual(mostConfused(confused, 3, 2), [1, 2])
  assert.deepEqual(partOf(confused, [1, 2]), [[2, 0], [2, 0]])
  assert.deepEqual(mostConfused(countPredictions([], 5), 5, 2), [0, 1], 'without mistakes, the first ones')
})
