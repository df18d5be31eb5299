import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HashIndex } from '../../../../../shared/data/columns/hash_index.ts'
import { sha256Of } from '../../../../../shared/kit/sha256.ts'

const columnOf = (hashes: readonly string[]): Buffer => Buffer.concat(hashes.map((hash) => Buffer.from(hash, 'hex')))
const others = (): Promise<void> => Promise.resolve()

test('hashes are found, and the first of equal ones', async () => {
  // Every third one comes again later; some differ in their last byte alone, and begin in the same cell.
  const hashes = Array.from({ length: 5000 }, (_, i) => (i % 50 === 0 ? 'ab'.repeat(31) + (i / 50).toString(16).padStart(2, '0') : sha256Of(String(i % 3 === 0 ? i % 600 : i))))
  const index = await HashIndex.of(columnOf(hashes), others)
  assert.equal(index.size, new Set(hashes).size)
  const first = new Map<string, number>()
  for (const [place, hash] of hashes.entries()) if (!first.has(hash)) first.set(hash, place)
  for (const [place, hash] of hashes.entries()) {
    assert.ok(index.has(hash))
    assert.equal(index.firstLike(place), first.get(hash))
  }
  for (let i = 0; i < 1000; i++) assert.ok(!index.has(sha256Of(`other ${i}`)))
})

test('an index of nothing has nothing', async () => {
  const index = await HashIndex.of(Buffer.alloc(0), others)
  assert.equal(index.size, 0)
  assert.ok(!index.has('0'.repeat(64)))
})
