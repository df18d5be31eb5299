import assert from 'node:assert/strict'
import test from 'node:test'
import { articleNetwork } from '../../../../shared/model/article.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { summaryOf } from '../../../../shared/model/summary.ts'

test('layers, their parameters, products and views, by hand; a residual is as far-sighted as its better branch', () => {
  const network = networkSchema.parse({
    name: 'small', imageSize: 8, classes: 5, mean: [0, 0, 0], std: [1, 1, 1],
    layers: [
      { type: 'zeroPad', before: 1, after: 1 },
      { type: 'conv2d', filters: 4, kernel: 3, stride: 2, bias: false },
      { type: 'residual', layers: [{ type: 'depthwiseConv2d', kernel: 3, padding: 'same' }, { type: 'batchNorm' }, { type: 'silu' }], shortcut: [{ type: 'conv2d', filters: 4, kernel: 1 }] },
      { type: 'maxPool', size: 2, stride: 2 },
      { type: 'flatten' },
      { type: 'dense', units: 5 },
    ],
  })
  assert.deepEqual(summaryOf(network).map(({ name, depth, output, parameters, statistics, multiplyAdds, receptiveField }) => [name, depth, output.join('x'), parameters, statistics, multiplyAdds, receptiveField]), [
    ['zeroPad_1', 0, '10x10x3', 0, 0, 0, 1],
    ['conv2d_1', 0, '4x4x4', 108, 0, 16 * 108, 3],
    ['residual_1', 0, '4x4x4', 0, 0, 0, 7],
    ['depthwiseConv2d_1', 1, '4x4x4', 40, 0, 16 * 36, 7],
    ['batchNorm_1', 1, '4x4x4', 8, 8, 0, 7],
    ['silu_1', 1, '4x4x4', 0, 0, 0, 7],
    ['conv2d_2', 1, '4x4x4', 20, 0, 16 * 16, 3],
    ['maxPool_1', 0, '2x2x4', 0, 0, 0, 9],
    ['flatten_1', 0, '16', 0, 0, 0, 13],
    ['dense_1', 0, '5', 85, 0, 80, 13],
  ])
})

test('parameters and statistics together are the vector; public figures of operations and views agree', () => {
  for (const network of [articleNetwork({ classes: 10 }), buildNetwork('mobilenet_v2', { imageSize: 224, classes: 1000 }), buildNetwork('resnet50', { imageSize: 224, classes: 1000 })]) {
    const layers = summaryOf(network)
    assert.equal(layers.reduce((sum, { parameters, statistics }) => sum + parameters + statistics, 0), layoutOf(network).size)
  }
  const giga = (name: string): string => (summaryOf(buildNetwork(name, { imageSize: 224, classes: 1000 })).reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0) / 1e9).toFixed(3)
  assert.deepEqual(['resnet18', 'resnet50', 'mobilenet_v2', 'efficientnet_lite0'].map(giga), ['1.814', '4.089', '0.301', '0.385'])
  const before = (name: string): number | undefined => summaryOf(buildNetwork(name, { imageSize: 224, classes: 1000 })).findLast(({ layer }) => layer.type === 'relu')?.receptiveField
  assert.deepEqual(['resnet18', 'resnet50'].map(before), [435, 427])
})
