import assert from 'node:assert/strict'
import test from 'node:test'
import { firstNotFinite } from '../../../../shared/vectors/finite.ts'

test('the first value that is not finite is found wherever it is, and none where all are finite, however large', () => {
  for (const length of [0, 1, 3, 4, 7, 64]) {
    const finite = Float32Array.from({ length }, (_, i) => [0, -0, 3.4028234663852886e38, -3.4028234663852886e38, 1.401298464324817e-45][i % 5])
    assert.equal(firstNotFinite(finite), undefined)
    for (const value of [NaN, Infinity, -Infinity]) {
      for (let place = 0; place < length; place++) {
        const values = finite.slice()
        values[place] = value
        values[length - 1] = value
        assert.equal(firstNotFinite(values), place)
      }
    }
  }
})
