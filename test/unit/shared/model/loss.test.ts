import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lossSchema, networkLossOf } from '../../../../shared/model/loss.ts'

const of = (loss: unknown, counts = [30, 10, 20]): unknown => networkLossOf(lossSchema.parse(loss), counts)

test('plain cross entropy leaves a network as it is; balanced weights are those of scikit-learn, whose mean over images is 1', () => {
  assert.equal(of({ name: 'crossEntropy' }), undefined)
  assert.deepEqual(of({ name: 'crossEntropy', classWeights: 'balanced' }), { gamma: 0, classWeights: [60 / 90, 2, 1] })
  assert.deepEqual(of({ name: 'focal' }), { gamma: 2 })
  assert.deepEqual(of({ name: 'focal', gamma: 1, classWeights: [1, 2, 3] }), { gamma: 1, classWeights: [1, 2, 3] })
})

test('what is no loss is refused, and so are weights for other classes', () => {
  assert.throws(() => of({ name: 'crossEntropy', classWeights: [1, 2] }), { name: 'UsageError', message: /^--loss: classWeights has 2 weights, but there are 3 classes: give one for each/ })
  for (const wrong of [{ name: 'hinge' }, { name: 'focal', gamma: 0.5 }, { name: 'focal', gamma: 11 }, { name: 'crossEntropy', gamma: 2 }, { name: 'crossEntropy', classWeights: [1, 0, 1] }]) assert.equal(lossSchema.safeParse(wrong).success, false, JSON.stringify(wrong))
})
