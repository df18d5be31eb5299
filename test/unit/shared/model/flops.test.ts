import assert from 'node:assert/strict'
import test from 'node:test'
import { gradientFlops } from '../../../../shared/model/flops.ts'
import { articleNetwork } from '../../../../shared/model/article.ts'
import { networkSchema } from '../../../../shared/model/network.ts'

const named = { name: 'small', imageSize: 4, classes: 5, mean: [0, 0, 0], std: [1, 1, 1] }

test('a convolution and a dense layer, counted by hand: the first layer needs no gradient of its input', () => {
  const network = networkSchema.parse({
    ...named,
    layers: [{ type: 'conv2d', filters: 2, kernel: 3, stride: 1, padding: 'valid', bias: true }, { type: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 5 }],
  })
  const convolution = 2 * 2 * 2 * (3 * 3 * 3)
  const dense = 2 * 2 * 2 * 5
  assert.equal(gradientFlops(network), 2 * (2 * convolution + 3 * dense))
})

test('depthwise convolutions and what is inside residuals count, by hand; nothing before the first parameters needs a gradient', () => {
  const network = networkSchema.parse({
    ...named,
    layers: [
      { type: 'maxPool', size: 1, stride: 1 },
      {
        type: 'residual',
        layers: [{ type: 'depthwiseConv2d', kernel: 3, padding: 'same' }, { type: 'relu' }, { type: 'conv2d', filters: 2, kernel: 1 }],
        shortcut: [{ type: 'conv2d', filters: 2, kernel: 1 }],
      },
      { type: 'residual', layers: [{ type: 'residual', layers: [{ type: 'depthwiseConv2d', kernel: 3, padding: 'same' }], shortcut: [] }], shortcut: [] },
      { type: 'globalAveragePool' },
      { type: 'dense', units: 5 },
    ],
  })
  const [firstDepthwise, pointwise, shortcut, innerDepthwise, dense] = [4 * 4 * 3 * 9, 4 * 4 * 2 * 3, 4 * 4 * 2 * 3, 4 * 4 * 2 * 9, 2 * 5]
  assert.equal(gradientFlops(network), 2 * (2 * firstDepthwise + 3 * pointwise + 2 * shortcut + 3 * innerDepthwise + 3 * dense))
})

test('a batch norm before the first convolution has parameters: the convolution needs the gradient of its input', () => {
  const layers = [{ type: 'conv2d', filters: 2, kernel: 3 }, { type: 'globalAveragePool' }, { type: 'dense', units: 5 }]
  const [plain, normed] = [layers, [{ type: 'batchNorm' }, ...layers]].map((list) => gradientFlops(networkSchema.parse({ ...named, layers: list })))
  assert.equal(normed - plain, 2 * (2 * 2 * 2 * 27))
})

test("the article's network at 256 px takes 4.6 GFLOP an image", () => {
  assert.equal((gradientFlops(articleNetwork({ imageSize: 256, classes: 10 })) / 1e9).toFixed(1), '4.6')
})
