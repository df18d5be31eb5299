import assert from 'node:assert/strict'
import test from 'node:test'
import { roundToEven } from '../../../../shared/kit/rounding.ts'

test('numbers are rounded to the nearest, and halves to the even neighbour', () => {
  assert.deepEqual([0, 0.49, 0.5, 0.51, 1.5, 2.5, 3.5, 7].map(roundToEven), [0, 0, 0, 1, 2, 2, 4, 7])
  assert.deepEqual([-0.4, -0.6, -1.5, -2.5, -3.5].map((x) => roundToEven(x) + 0), [0, -1, -2, -2, -4])
  assert.equal(roundToEven(0.5 - 2 ** -54), 0)
})
