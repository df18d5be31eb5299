import assert from 'node:assert/strict'
import test from 'node:test'
import { gradientFlops } from '../../../../shared/model/flops.ts'
import { articleNetwork } from '../../../../shared/model/article.ts'
import { networkSchema } from '../../../../shared/model/network.ts'

test('a convolution and a dense layer, counted by hand: the first layer needs no gradient of its input', () => {
  const network = networkSchema.parse({
    name: 'two', imageSize: 4, classes: 5, mean: [0, 0, 0], std: [1, 1, 1],
    layers: [{ type: 'conv2d', filters: 2, kernel: 3, stride: 1, padding: 'valid', bias: true }, { type: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 5 }],
  })
  const convolution = 2 * 2 * 2 * (3 * 3 * 3)
  const dense = 2 * 2 * 2 * 5
  assert.equal(gradientFlops(network), 2 * (2 * convolution + 3 * dense))
})

test("the article's network at 256 px takes 4.6 GFLOP an image", () => {
  assert.equal((gradientFlops(articleNetwork({ imageSize: 256, classes: 10 })) / 1e9).toFixed(1), '4.6')
})
