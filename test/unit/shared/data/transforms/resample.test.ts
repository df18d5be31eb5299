import assert from 'node:assert/strict'
import test from 'node:test'
import { axisWeights, mirroredAxis } from '../../../../../shared/data/transforms/resample.ts'

test('weights stay in the cache while as many sizes come as random crops have, and the oldest leave it first', () => {
  const first = axisWeights(301, 224, 0, 224)
  const inThousand = (): boolean => {
    for (let size = 1; size <= 1000; size++) if (size !== 301) axisWeights(size, 224, 0, 224)
    return axisWeights(301, 224, 0, 224) === first
  }
  assert.ok(inThousand() && inThousand(), 'all sizes of photographs with sides up to 1,000 pixels are kept')
  // Each of these takes 1 MB.
  for (let size = 0; size < 17; size++) axisWeights(1_000_000 - size, 8, 0, 1)
  const again = axisWeights(301, 224, 0, 224)
  assert.notEqual(again, first)
  assert.deepEqual(again, first)
})

test('a mirrored axis reads the opposite positions with the same weights', () => {
  for (const [input, output, from, length, begin] of [[90, 40, 3, 30, 7], [20, 50, 0, 50, 0], [33, 33, 5, 20, 2]]) {
    const size = 120
    const axis = axisWeights(input, output, from, length, begin)
    const mirror = mirroredAxis(axis, size)
    const productsOf = ({ taps, starts, weights, first }: typeof axis, i: number): Map<number, number> =>
      new Map(Array.from({ length: taps }, (_, tap) => [first + starts[i] + tap, weights[i * taps + tap]]))
    for (let i = 0; i < length; i++) {
      const expected = new Map([...productsOf(axis, i)].map(([position, weight]) => [size - 1 - position, weight]))
      assert.deepEqual(productsOf(mirror, i), expected)
    }
  }
})
