import assert from 'node:assert/strict'
import test from 'node:test'
import { BLOCK_FLOATS, sumKernel } from '../../../../shared/vectors/sum_kernel.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { addInto, plainAddInto, plainSumOfSquares, sumOfSquares } from '../../../../shared/vectors/vectors.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'

const kernel = sumKernel() ?? assert.fail('this machine has no kernel')
const random = new KeyedRandom(1, Purpose.draw)
const randomVector = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal() * 10 ** random.between(-44, 36))

const LENGTHS = [0, 1, 2, 3, 4, 5, 63, BLOCK_FLOATS - 1, BLOCK_FLOATS, BLOCK_FLOATS + 1, 40_001]

/** A copy of a vector in the kernel's memory. */
function within(values: Float32Array): Float32Array {
  const vector = kernel.allocate(values.length) ?? assert.fail('no memory is left')
  vector.set(values)
  return vector
}

test('the kernel is what the reduce adds and squares with', () => {
  assert.notEqual(addInto, plainAddInto)
  assert.notEqual(sumOfSquares, plainSumOfSquares)
})

test('the kernel adds to the bit what the plain loop does, for any length and alignment, and writes nothing else', () => {
  for (const length of LENGTHS) {
    const memory = randomVector(length + 8)
    const expected = memory.slice()
    const right = randomVector(length)
    plainAddInto(expected.subarray(3, 3 + length), right)
    const left = memory.subarray(3, 3 + length)
    assert.equal(kernel.add(left, right), left)
    assert.deepEqual(bytesOf(memory), bytesOf(expected), `${length} floats`)
  }
})

test('the operand on the right stays as it is', () => {
  const right = randomVector(1001)
  const before = right.slice()
  kernel.add(randomVector(1001), right)
  assert.deepEqual(right, before)
})

test('vectors in the kernel\'s memory are added and squared there to the same bits, and stay good when it grows', () => {
  const kept = LENGTHS.map((length) => {
    const [left, right] = [randomVector(length), randomVector(length)]
    return { left: within(left), right: within(right), plainLeft: left, plainRight: right }
  })
  kernel.allocate(2 ** 20)
  for (const { left, right, plainLeft, plainRight } of kept) {
    assert.equal(kernel.sumOfSquares(left), plainSumOfSquares(plainLeft))
    assert.equal(kernel.add(left, right), left)
    assert.deepEqual(bytesOf(left.slice()), bytesOf(plainAddInto(plainLeft, plainRight)), `${left.length} floats`)
    assert.deepEqual(right.slice(), plainRight)
  }
})

test('the kernel squares to the bit what the plain loop does, and the sum is finite only if all values are', () => {
  for (const length of LENGTHS) {
    const values = randomVector(length + 1).subarray(1)
    assert.equal(kernel.sumOfSquares(values), plainSumOfSquares(values), `${length} floats`)
    for (const spoilt of [NaN, Infinity, -Infinity]) {
      if (length === 0) continue
      values[random.below(length)] = spoilt
      assert.equal(Number.isFinite(kernel.sumOfSquares(values)), false)
      assert.equal(Number.isFinite(plainSumOfSquares(values)), false)
    }
  }
  assert.ok(Number.isFinite(kernel.sumOfSquares(new Float32Array(100_000).fill(3.4e38))))
})

test('when no more memory can be had, there is none, and what was had is still good', () => {
  const vector = within(Float32Array.of(1, 2, 3))
  assert.equal(kernel.allocate(2 ** 30), undefined)
  assert.deepEqual([...vector], [1, 2, 3])
})
