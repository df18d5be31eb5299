import assert from 'node:assert/strict'
import test from 'node:test'
import { KeyedRandom, permutation, philox4x32, Purpose } from '../../../../shared/random/philox.ts'

/** Known answers of the authors' Random123 library (kat_vectors, philox4x32 10 rounds): counter, key, result. */
const knownAnswers: [number[], number[], number[]][] = [
  [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
  [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]],
]

test('philox4x32 gives the known answers of its authors', () => {
  for (const [counter, key, expected] of knownAnswers) {
    const out = new Uint32Array(4)
    philox4x32(counter[0], counter[1], counter[2], counter[3], key[0], key[1], out)
    assert.deepEqual([...out], expected)
  }
})

test('a keyed sequence depends on every part of its key', () => {
  const first = (random: KeyedRandom): number => random.uint32()
  const base = first(new KeyedRandom(1, Purpose.augment, 2, 3, 4))
  assert.equal(first(new KeyedRandom(1, Purpose.augment, 2, 3, 4)), base)
  assert.notEqual(first(new KeyedRandom(2, Purpose.augment, 2, 3, 4)), base)
  assert.notEqual(first(new KeyedRandom(1, Purpose.dropout, 2, 3, 4)), base)
  assert.notEqual(first(new KeyedRandom(1, Purpose.augment, 3, 3, 4)), base)
  assert.notEqual(first(new KeyedRandom(1, Purpose.augment, 2, 4, 4)), base)
  assert.notEqual(first(new KeyedRandom(1, Purpose.augment, 2, 3, 5)), base)
})

test('draws have the distribution that their name says', () => {
  const random = new KeyedRandom(7, Purpose.draw)
  const count = 20000
  const uniforms = Array.from({ length: count }, () => random.uniform())
  assert.ok(uniforms.every((value) => value >= 0 && value < 1))
  assert.ok(Math.abs(uniforms.reduce((a, b) => a + b) / count - 0.5) < 0.01)
  const normals = Array.from({ length: count }, () => random.normal())
  assert.ok(Math.abs(normals.reduce((a, b) => a + b) / count) < 0.03)
  assert.ok(Math.abs(normals.reduce((a, b) => a + b * b, 0) / count - 1) < 0.05)
  const sides = new Array<number>(6).fill(0)
  for (let i = 0; i < count; i++) sides[random.below(6)]++
  for (const side of sides) assert.ok(Math.abs(side / count - 1 / 6) < 0.015, String(sides))
})

test('a permutation holds every number once and mixes', () => {
  const order = permutation(1000, new KeyedRandom(3, Purpose.shuffle, 1))
  assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i))
  assert.ok(order.filter((value, i) => value === i).length < 10)
  assert.deepEqual(permutation(1, new KeyedRandom(0, Purpose.shuffle)), new Uint32Array([0]))
  assert.equal(permutation(0, new KeyedRandom(0, Purpose.shuffle)).length, 0)
})
