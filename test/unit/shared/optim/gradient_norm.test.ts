import assert from 'node:assert/strict'
import test from 'node:test'
import { isStatistic, layoutOf, type Layout } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { KeyedRandom, permutation, Purpose } from '../../../../shared/random/philox.ts'
import { chunkRanges } from '../../../../shared/vectors/chunks.ts'
import { gradientNorm, GradientSquares } from '../../../../shared/optim/gradient_norm.ts'
import { sumOfSquares } from '../../../../shared/vectors/vectors.ts'

const layout: Layout = layoutOf(networkSchema.parse({
  name: 'normed', imageSize: 8, classes: 3, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2],
  layers: [{ type: 'conv2d', filters: 5, kernel: 3 }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 3 }],
}))
const random = new KeyedRandom(1, Purpose.draw)
const gradient = Float32Array.from({ length: layout.size }, () => random.normal())
const chunks = chunkRanges(layout.size, 37)

function normOf(order: Iterable<number>): number {
  const squares = new GradientSquares(layout)
  for (const place of order) {
    const sum = gradient.slice(chunks[place].begin, chunks[place].end)
    squares.add(chunks[place], sum, sumOfSquares(sum))
  }
  return gradientNorm(squares.inOrder, 4)
}

test('the norm is that of the mean gradient, running statistics left out', () => {
  const squares = layout.parameters.filter((parameter) => !isStatistic(parameter)).flatMap(({ offset, size }) => [...gradient.subarray(offset, offset + size)].map((value) => value * value))
  assert.ok(squares.length < layout.size, 'the network has running statistics')
  const expected = Math.sqrt(squares.reduce((sum, square) => sum + square, 0)) / 4
  assert.ok(Math.abs(normOf(chunks.keys()) - expected) < 1e-12 * expected)
})

test('the order in which chunks come changes no bit of it', () => {
  const inOrder = normOf(chunks.keys())
  for (let shuffle = 0; shuffle < 20; shuffle++) assert.equal(normOf(permutation(chunks.length, random)), inOrder)
})
