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

test('balanced, an epoch has as many of each class, all of them as often as each other or once more, in an order of its own', () => {
  // There are 70 samples of class 0, 30 of class 2 and 1 of class 5.
  const samples = { classOf: (id: number): number => (id < 70 * 3 ? 0 : id < 100 * 3 ? 2 : 5) }
  const schedule = new Schedule({ seed: 4, train, batch: 16, lanes: 8, sampling: 'balanced', samples })
  assert.equal(schedule.stepsPerEpoch, 7)
  const orderOf = (epoch: number): number[] => Array.from({ length: schedule.stepsPerEpoch }, (_, step) => [...schedule.batch(epoch, step)]).flat()
  const taken = new Map<number, number>()
  for (const id of orderOf(1)) taken.set(id, (taken.get(id) ?? 0) + 1)
  const timesOf = (wanted: number): number[] => train.filter((id) => samples.classOf(id) === wanted).map((id) => taken.get(id) ?? 0)
  assert.deepEqual([0, 2, 5].map((each) => timesOf(each).reduce((sum, times) => sum + times, 0)), [33, 34, 34])
  assert.deepEqual([0, 2, 5].map((each) => [Math.min(...timesOf(each)), Math.max(...timesOf(each))]), [[0, 1], [1, 2], [34, 34]])
  const seen = new Map<number, number[]>()
  for (let step = 0; step < schedule.stepsPerEpoch; step++) for (let lane = 0; lane < 8; lane++) {
    const repeats = schedule.repeats(1, step, lane) ?? assert.fail()
    schedule.lane(1, step, lane).forEach((id, row) => seen.set(id, [...(seen.get(id) ?? []), repeats[row]]))
  }
  for (const [id, repeats] of seen) assert.deepEqual(repeats.sort((a, b) => a - b), Array.from({ length: taken.get(id) ?? 0 }, (_, repeat) => repeat), 'each copy has a number of its own')
  assert.equal(new Schedule({ seed: 4, train, batch: 16, lanes: 8 }).repeats(1, 0, 0), undefined)
  assert.notDeepEqual(orderOf(2).slice(0, 16), orderOf(1).slice(0, 16))
  assert.notDeepEqual(orderOf(2).sort((a, b) => a - b), orderOf(1).sort((a, b) => a - b), 'another epoch takes others of a large class')
  assert.throws(() => new Schedule({ seed: 4, train, batch: 16, lanes: 8, sampling: 'balanced' }), /needs the classes/)
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
