import assert from 'node:assert/strict'
import test from 'node:test'
import { articleNetwork } from '../../../../shared/model/article.ts'
import { dropoutMasks } from '../../../../shared/lanes/masks.ts'
import { Schedule } from '../../../../shared/lanes/sample_schedule.ts'

const train = Array.from({ length: 101 }, (_, i) => i * 3)

test('every sample of an epoch is taken exactly once, in lanes as in batches', () => {
  const schedule = new Schedule({ seed: 4, train, batch: 16, lanes: 8 })
  assert.equal(schedule.stepsPerEpoch, 7)
  for (const epoch of [1, 2]) {
    const byBatch: number[] = []
    const byLane: number[] = []
    for (let step = 0; step < schedule.stepsPerEpoch; step++) {
      byBatch.push(...schedule.batch(epoch, step))
      for (let lane = 0; lane < 8; lane++) byLane.push(...schedule.lane(epoch, step, lane))
    }
    assert.deepEqual(byLane, byBatch)
    assert.deepEqual(byBatch.slice().sort((a, b) => a - b), train)
  }
})

test('the order depends on seed and epoch only', () => {
  const one = new Schedule({ seed: 4, train, batch: 16, lanes: 8 })
  const other = new Schedule({ seed: 4, train, batch: 16, lanes: 2 })
  one.batch(9, 0)
  assert.deepEqual([...one.batch(3, 2)], [...other.batch(3, 2)])
  assert.notDeepEqual([...one.batch(3, 2)], [...one.batch(4, 2)])
  assert.notDeepEqual([...new Schedule({ seed: 5, train, batch: 16, lanes: 8 }).batch(3, 2)], [...one.batch(3, 2)])
})

test('the position after the last step of an epoch is the first of the next', () => {
  const schedule = new Schedule({ seed: 4, train, batch: 16, lanes: 8 })
  assert.deepEqual(schedule.next({ epoch: 1, stepInEpoch: 6, step: 6 }), { epoch: 2, stepInEpoch: 0, step: 7 })
  assert.deepEqual(schedule.next({ epoch: 2, stepInEpoch: 0, step: 7 }), { epoch: 2, stepInEpoch: 1, step: 8 })
})

test('a sample has the same dropout masks in any lane', () => {
  const network = articleNetwork({ imageSize: 160, classes: 10 })
  const together = dropoutMasks(network, 1, 5, [10, 11, 12])
  const alone = dropoutMasks(network, 1, 5, [12])
  assert.deepEqual(together.map((mask) => mask.slice((mask.length / 3) * 2)), alone)
  assert.notDeepEqual(dropoutMasks(network, 1, 6, [12]), alone)
})

test('masks keep the share and the scale that the rate says', () => {
  const network = articleNetwork({ imageSize: 256, classes: 10 })
  const [first, second] = dropoutMasks(network, 1, 0, [1, 2, 3, 4])
  const dropped = (mask: Float32Array): number => mask.filter((value) => value === 0).length / mask.length
  assert.equal(first.length, 4 * 4096)
  assert.equal(second.length, 4 * 256)
  assert.ok(Math.abs(dropped(first) - 0.25) < 0.02)
  assert.ok(Math.abs(dropped(second) - 0.5) < 0.05)
  assert.deepEqual(new Set(second), new Set([0, 2]))
})
