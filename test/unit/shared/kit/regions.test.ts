import assert from 'node:assert/strict'
import test from 'node:test'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { Regions } from '../../../../shared/kit/regions.ts'

test('the lowest free place is taken, and what does not fit is not', () => {
  const regions = new Regions(100, 10)
  assert.deepEqual([regions.take(15), regions.take(10), regions.take(60)], [0, 20, 30])
  assert.equal(regions.take(11), undefined)
  assert.equal(regions.take(10), 90)
  regions.free(0)
  assert.equal(regions.take(21), undefined)
  assert.equal(regions.take(20), 0)
  regions.free(20)
  regions.free(30)
  assert.equal(regions.take(70), 20)
  assert.throws(() => regions.free(30), /nothing was taken at 30/)
})

test('whatever is taken and freed, no two regions overlap', () => {
  const random = new KeyedRandom(2, Purpose.draw)
  const regions = new Regions(1000, 16)
  const used: { at: number; length: number }[] = []
  for (let turn = 0; turn < 2000; turn++) {
    if (used.length > 0 && random.below(2) === 0) {
      const [gone] = used.splice(random.below(used.length), 1)
      regions.free(gone.at)
      continue
    }
    const length = 1 + random.below(200)
    const at = regions.take(length)
    if (at === undefined) continue
    assert.ok(at % 16 === 0 && at + length <= 1000)
    for (const other of used) assert.ok(at + length <= other.at || other.at + other.length <= at)
    used.push({ at, length })
  }
  assert.ok(used.length > 0)
})
