import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mixed, type Unmixed } from '../../../../shared/lanes/mix.ts'
import { mixSchema } from '../../../../shared/model/mix.ts'

const SIZE = 8
const BYTES = SIZE * SIZE * 3
/** A lane of plain images, each of the byte 60 times its row. */
const laneOf = (step: number, count = 3): Unmixed => ({
  step, samples: Array.from({ length: count }, (_, row) => 10 + row), labels: Array.from({ length: count }, (_, row) => row * 2),
  images: Uint8Array.from({ length: count * BYTES }, (_, i) => 60 * Math.floor(i / BYTES)),
})
const mixUp = mixSchema.parse({ name: 'mixUp', alpha: 1 })
const cutMix = mixSchema.parse({ name: 'cutMix' })

test('MixUp blends each image with the next one, and the last with the first, by the share that the labels have', () => {
  for (let step = 0; step < 20; step++) {
    const { images, partners } = mixed(laneOf(step), 7, mixUp)
    const share = partners.share[0]
    assert.deepEqual([...partners.labels], [2, 4, 0])
    assert.ok([...partners.share].every((each) => each === share))
    const expected = [60 * (1 - share), 60 * share + 120 * (1 - share), 120 * share]
    images.forEach((value, i) => assert.ok(Math.abs(value - expected[Math.floor(i / BYTES)]) <= 0.5, `${value} at ${i}, share ${share}`))
  }
})

test('CutMix puts the same rectangle of the next one into each image, and the share of an own is that of its pixels', () => {
  const shares = new Set<number>()
  for (let step = 0; step < 50; step++) {
    const lane = laneOf(step)
    const { images, partners } = mixed(lane, 7, cutMix)
    const isOther = Array.from({ length: SIZE * SIZE }, (_, pixel) => images[pixel * 3] === 60)
    isOther.forEach((other, pixel) => {
      for (let channel = 0; channel < 3; channel++) for (let row = 0; row < 3; row++) assert.equal(images[row * BYTES + pixel * 3 + channel], 60 * (other ? (row + 1) % 3 : row))
    })
    const places = isOther.flatMap((other, pixel) => (other ? [[pixel % SIZE, Math.floor(pixel / SIZE)]] : []))
    const [columns, rows] = [0, 1].map((axis) => new Set(places.map((place) => place[axis])).size)
    assert.equal(places.length, columns * rows, 'it is a rectangle')
    assert.equal(partners.share[1], Math.fround(1 - places.length / (SIZE * SIZE)))
    assert.ok(lane.images.every((value, i) => value === 60 * Math.floor(i / BYTES)), "the lane's own images stay as they were")
    shares.add(partners.share[0])
  }
  assert.ok(shares.size > 10, `${shares.size} shares`)
})

test('what is drawn follows from seed, step and samples alone, and from Beta(alpha, alpha)', () => {
  assert.deepEqual(mixed(laneOf(3), 7, cutMix), mixed(laneOf(3), 7, cutMix))
  for (const other of [mixed(laneOf(4), 7, mixUp), mixed(laneOf(3), 8, mixUp), mixed({ ...laneOf(3), samples: [11, 12, 13] }, 7, mixUp)]) assert.notEqual(other.partners.share[0], mixed(laneOf(3), 7, mixUp).partners.share[0])
  for (const alpha of [0.2, 1, 2]) {
    const shares = Array.from({ length: 2000 }, (_, step) => mixed(laneOf(step, 2), 1, { ...mixUp, alpha }).partners.share[0])
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length
    assert.ok(Math.abs(mean - 0.5) < 0.03, `mean ${mean} of alpha ${alpha}`)
    // The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
    assert.ok(Math.abs(variance * 4 * (2 * alpha + 1) - 1) < 0.1, `variance ${variance} of alpha ${alpha}`)
  }
})

test('a lane is mixed with the given probability; one image mixes with itself', () => {
  const shares = Array.from({ length: 400 }, (_, step) => mixed(laneOf(step), 1, { ...mixUp, probability: 0.25 }).partners.share[0])
  const untouched = shares.filter((share) => share === 1).length
  assert.ok(untouched > 260 && untouched < 340, `${untouched} of 400`)
  assert.deepEqual(mixed(laneOf(0, 1), 1, mixUp).images, laneOf(0, 1).images)
})
