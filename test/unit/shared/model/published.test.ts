import assert from 'node:assert/strict'
import test from 'node:test'
import { isStatistic, layoutOf } from '../../../../shared/model/layout.ts'
import { buildNetwork, modelNames } from '../../../../shared/model/models.ts'
import { publishedNetworks } from '../../../../shared/model/published.ts'
import { walkLayers, type Network } from '../../../../shared/model/network.ts'
import { torchNamesOf } from '../../../../shared/model/torch_names.ts'

const networkOf = (name: string, { imageSize = 224, classes = 1000 } = {}): Network => buildNetwork(name, { imageSize, classes })

/** Public figures: parameters for 1,000 classes (without running statistics), and the shape before the mean of the pixels. */
const published: Record<string, { parameters: number; last: number[] }> = {
  resnet18: { parameters: 11_689_512, last: [7, 7, 512] },
  resnet50: { parameters: 25_557_032, last: [7, 7, 2048] },
  mobilenet_v2: { parameters: 3_504_872, last: [7, 7, 1280] },
  efficientnet_lite0: { parameters: 4_652_008, last: [7, 7, 1280] },
}

for (const [name, { parameters, last }] of Object.entries(published)) {
  test(`${name} has the parameters and shapes that were published, and one PyTorch name for each parameter`, () => {
    const network = networkOf(name)
    const layout = layoutOf(network)
    assert.equal(layout.parameters.filter((parameter) => !isStatistic(parameter)).reduce((sum, { size }) => sum + size, 0), parameters)
    assert.deepEqual(walkLayers(network).find(({ layer }) => layer.type === 'globalAveragePool')?.input, last)
    const names = torchNamesOf(network)
    assert.deepEqual([...names!.keys()], layout.parameters.map((parameter) => parameter.name))
    assert.equal(new Set([...names!.values()].map((torch) => torch.name)).size, layout.parameters.length)
    assert.ok(modelNames.includes(name))
  })
}

/** Entries of torchvision's and the package's state files, with their shapes there. */
const entries: Record<string, [count: number, ...[name: string, shape: string][]]> = {
  resnet18: [102, ['conv1.weight', '64x3x7x7'], ['bn1.running_var', '64'], ['layer1.0.bn2.weight', '64'], ['layer2.0.downsample.0.weight', '128x64x1x1'], ['layer2.0.downsample.1.running_mean', '128'],
    ['layer4.1.conv2.weight', '512x512x3x3'], ['fc.weight', '1000x512'], ['fc.bias', '1000']],
  resnet50: [267, ['layer1.0.conv3.weight', '256x64x1x1'], ['layer1.0.downsample.0.weight', '256x64x1x1'], ['layer3.5.conv2.weight', '256x256x3x3'], ['layer4.0.bn3.bias', '2048'], ['fc.weight', '1000x2048']],
  mobilenet_v2: [262, ['features.0.0.weight', '32x3x3x3'], ['features.1.conv.0.0.weight', '32x1x3x3'], ['features.1.conv.1.weight', '16x32x1x1'], ['features.1.conv.2.bias', '16'],
    ['features.2.conv.1.0.weight', '96x1x3x3'], ['features.17.conv.3.running_mean', '320'], ['features.18.0.weight', '1280x320x1x1'], ['features.18.1.weight', '1280'], ['classifier.1.weight', '1000x1280']],
  efficientnet_lite0: [247, ['_conv_stem.weight', '32x3x3x3'], ['_bn0.running_mean', '32'], ['_blocks.0._depthwise_conv.weight', '32x1x3x3'], ['_blocks.0._project_conv.weight', '16x32x1x1'], ['_blocks.3._depthwise_conv.weight', '144x1x5x5'],
    ['_blocks.15._bn2.running_var', '320'], ['_conv_head.weight', '1280x320x1x1'], ['_bn1.bias', '1280'], ['_fc.weight', '1000x1280']],
}

function torchShape(kind: string, shape: readonly number[]): readonly number[] {
  if (kind === 'vector') return shape
  return kind === 'dense' ? [shape[1], shape[0]] : kind === 'conv' ? [shape[3], shape[2], shape[0], shape[1]] : [shape[2], 1, shape[0], shape[1]]
}

for (const [name, [count, ...some]] of Object.entries(entries)) {
  test(`${name}'s names and shapes are those of its state file`, () => {
    const network = networkOf(name)
    const names = torchNamesOf(network)!
    const shapes = new Map(layoutOf(network).parameters.map((parameter) => {
      const torch = names.get(parameter.name)!
      return [torch.name, torchShape(torch.kind, parameter.shape).join('x')]
    }))
    // Beside these, a state file has the number of batches that each batch norm has seen.
    assert.equal(shapes.size, count)
    assert.deepEqual(some.map(([entry]) => [entry, shapes.get(entry)]), some)
  })
}

test('other classes and image sizes have the same names; other networks have none, whatever they are called', () => {
  for (const name of Object.keys(publishedNetworks)) assert.deepEqual(torchNamesOf(networkOf(name, { imageSize: 33, classes: 10 })), torchNamesOf(networkOf(name)))
  const network = networkOf('resnet18')
  assert.equal(torchNamesOf({ ...network, name: 'mine' }), undefined)
  assert.equal(torchNamesOf({ ...network, layers: [{ type: 'relu' }, ...network.layers] }), undefined)
  assert.equal(torchNamesOf(networkOf('tiny', { imageSize: 32, classes: 10 })), undefined)
})
