import assert from 'node:assert/strict'
import { test } from 'node:test'
import { averageOf, mirrored } from '../../../../shared/evaluation/mirror.ts'

test('left and right of each image are exchanged, its channels and rows are not; twice is nothing', () => {
  // Each byte is 100 times the image, 30 times the row, 3 times the column, and the channel.
  const images = Uint8Array.from({ length: 2 * 3 * 3 * 3 }, (_, i) => 100 * Math.floor(i / 27) + 30 * (Math.floor(i / 9) % 3) + (i % 9))
  assert.deepEqual([...mirrored(images, 3).subarray(0, 9)], [6, 7, 8, 3, 4, 5, 0, 1, 2])
  assert.deepEqual([...mirrored(images, 3).subarray(27 + 18, 27 + 27)], [166, 167, 168, 163, 164, 165, 160, 161, 162])
  assert.deepEqual(mirrored(mirrored(images, 3), 3), images)
})

test('logits are averaged in float32', () => {
  assert.deepEqual([...averageOf(Float32Array.of(1, -2, 0.5), Float32Array.of(2, 2, 0.5))], [1.5, 0, 0.5])
})
