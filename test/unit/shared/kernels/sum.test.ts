import assert from 'node:assert/strict'
import test from 'node:test'
import { kernelAddInto } from '../../../../shared/kernels/sum.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { addInto, plainAddInto } from '../../../../shared/train/chunk_sum.ts'
import { bytesOf } from '../../../../shared/wire/floats.ts'

const kernel = kernelAddInto() ?? assert.fail('this machine has no kernel')
const random = new KeyedRandom(1, Purpose.draw)
const randomVector = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal() * 10 ** random.between(-44, 36))

test('the kernel is what the reduce adds with', () => {
  assert.notEqual(addInto, plainAddInto)
})

test('the kernel adds to the bit what the plain loop does, for any length and alignment, and writes nothing else', () => {
  for (const length of [0, 1, 2, 3, 4, 5, 63, 16_383, 16_384, 16_385, 40_001]) {
    const memory = randomVector(length + 8)
    const expected = memory.slice()
    const right = randomVector(length)
    plainAddInto(expected.subarray(3, 3 + length), right)
    const left = memory.subarray(3, 3 + length)
    assert.equal(kernel(left, right), left)
    assert.deepEqual(bytesOf(memory), bytesOf(expected), `${length} floats`)
  }
})

test('the operand on the right stays as it is', () => {
  const right = randomVector(1001)
  const before = right.slice()
  kernel(randomVector(1001), right)
  assert.deepEqual(right, before)
})
