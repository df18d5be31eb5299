import assert from 'node:assert/strict'
import test from 'node:test'
import { lastingVector } from '../../../../shared/vectors/vectors.ts'
import { bytesOf, copyFloats } from '../../../../shared/kit/floats.ts'

const LENGTH = 40_000
const values = Float32Array.from({ length: LENGTH }, (_, index) => Math.sin(index))

/** The bytes of the values, `offset` bytes after an aligned address. */
function receivedAt(offset: number): Buffer {
  const message = Buffer.allocUnsafeSlow(values.byteLength + offset)
  bytesOf(values).copy(message, offset)
  return message.subarray(offset)
}

for (const [memory, vector] of [['memory of its own', new Float32Array(LENGTH)], ["the kernel's memory", lastingVector(LENGTH)], ['shared memory', new Float32Array(new SharedArrayBuffer(4 * LENGTH))]] as const) {
  test(`floats are copied from any place of a message to ${memory}`, () => {
    for (const offset of [0, 3, 4, 13, 16]) {
      vector.fill(NaN)
      copyFloats(receivedAt(offset), vector)
      assert.deepEqual(Float32Array.from(vector), values, `offset ${offset}`)
    }
  })
}
