import assert from 'node:assert/strict'
import test from 'node:test'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { isStatistic, layoutOf } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { parametersNamed } from '../../../../shared/model/parameter_patterns.ts'

const article = buildNetwork('article', { imageSize: 256, classes: 10 })
const resnet = buildNetwork('resnet18', { imageSize: 64, classes: 3 })
const found = (pattern: string, network = article): string[] => parametersNamed(pattern, network, `--freeze ${pattern}`).map(({ name }) => name)

test('the head is the last layer that has parameters, and the backbone all others', () => {
  assert.deepEqual(found('head'), ['dense_2/kernel', 'dense_2/bias'])
  assert.deepEqual([...found('backbone'), ...found('head')], layoutOf(article).parameters.map(({ name }) => name))
  assert.deepEqual(found('backbone', resnet), layoutOf(resnet).parameters.filter((parameter) => !isStatistic(parameter)).map(({ name }) => name).slice(0, -2))
})

test('a pattern is a name of a parameter or of a layer, in which * stands for any letters', () => {
  assert.deepEqual(found('conv2d_1'), ['conv2d_1/kernel', 'conv2d_1/bias'])
  assert.deepEqual(found('conv2d_1*'), ['conv2d_1/kernel', 'conv2d_1/bias', 'conv2d_10/kernel', 'conv2d_10/bias'])
  assert.deepEqual(found('dense*/kernel'), ['dense_1/kernel', 'dense_2/kernel'])
  assert.equal(found('*').length, 24)
})

test('of a published network, PyTorch\'s names do as well', () => {
  assert.deepEqual(found('conv1', resnet), ['conv2d_1/kernel'])
  assert.deepEqual(found('layer1.0.bn1.*', resnet), found('batchNorm_2', resnet))
  assert.deepEqual(found('layer1.0.bn1', resnet), ['batchNorm_2/gamma', 'batchNorm_2/beta'])
  assert.deepEqual(found('fc', resnet), found('head', resnet))
})

test('a pattern that names nothing is an error with near names', () => {
  assert.throws(() => found('convd_1'), (error: unknown) => error instanceof UsageError && /^--freeze convd_1: no parameter of network article is named convd_1: expected head, backbone, or a name, in which \* stands for any letters, e\.g\. conv2d_1, /.test(error.message))
  assert.throws(() => found('layer1.9.*', resnet), /e\.g\. layer1\.0\.bn1, /)
  assert.throws(() => found('batchNorm_1/runningMean', resnet), /no parameter/)
})
