import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GROUP, PathList, PathReader } from '../../../../../shared/data/columns/path_list.ts'

/** Paths as data sets have them, and those that are hard to cut: characters of several bytes that differ in one, long ones, one that is in another. */
const paths = [
  ...Array.from({ length: 1000 }, (_, i) => `n${String(1440764 + (i >> 6)).padStart(8, '0')}/n01440764_${i * 37}.JPEG`).sort(),
  'ähre/é.jpg', 'ähre/è.jpg', '猫/一.jpg', '猫/丁.jpg', '😀/😀.jpg', '😀/😁.jpg', 'z', 'z/z', 'z', '', `${'長'.repeat(4096)}`, `${'長'.repeat(4095)}短`, 'after',
]

test('paths are read as they were added, in any order', () => {
  const list = PathList.of(paths)
  assert.equal(list.length, paths.length)
  assert.deepEqual([...list], paths)
  for (let step = 1; step < 50; step += 7) for (let i = 0; i < paths.length; i += step) assert.equal(list.at(i), paths[i])
  for (let i = paths.length - 1; i >= 0; i--) assert.equal(list.at(i), paths[i])
  for (const i of [5, 5, 6, 4, 40, 39, 41, 1012, 0]) assert.equal(list.at(i), paths[i])
  for (const i of [-1, paths.length, NaN]) assert.throws(() => list.at(i), RangeError)
})

test('paths can be added after others were read', () => {
  const list = new PathList()
  for (const [i, path] of paths.entries()) {
    list.add(path)
    assert.equal(list.at(i >> 1), paths[i >> 1])
    assert.equal(list.at(i), path)
  }
})

test('sorted paths take a few bytes each', () => {
  const list = PathList.of(paths.slice(0, 1000))
  assert.ok(list.encoded(0, 1000).length < 14 * 1000, `${list.encoded(0, 1000).length} bytes`)
})

test('a part of a list is read by itself', () => {
  const reader = new PathReader(PathList.of(paths).encoded(3 * GROUP, 5 * GROUP))
  const read: string[] = []
  while (!reader.ended) read.push(reader.next())
  assert.deepEqual(read, paths.slice(3 * GROUP, 5 * GROUP))
})

test('damaged bytes are refused and never read beyond their end', () => {
  const whole = PathList.of(paths).encoded(0, 2 * GROUP)
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at] ^= 0x55
    const reader = new PathReader(damaged)
    try {
      while (!reader.ended) assert.ok(reader.next().length <= 3 * 4096)
    } catch (error) {
      assert.ok(error instanceof RangeError)
    }
  }
  assert.throws(() => new PathReader(Buffer.from([0])).next(), RangeError)
  assert.throws(() => new PathReader(Buffer.from([1, 1, 65])).next(), RangeError)
})
