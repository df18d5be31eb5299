import assert from 'node:assert/strict'
import test from 'node:test'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { articleNetwork, smallestArticleImage } from '../../../../shared/model/article.ts'
import { initialParameters } from '../../../../shared/model/initial.ts'
import { layoutOf, viewOf } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { dropoutLayers } from '../../../../shared/model/network.ts'

test('the article network has exactly 2,230,170 parameters for ten classes', () => {
  const layout = layoutOf(articleNetwork({ classes: 10 }))
  assert.equal(layout.size, 2230170)
  assert.equal(layout.parameters.length, 24)
  assert.deepEqual(dropoutLayers(articleNetwork({ classes: 10 })), [{ rate: 0.25, shape: [4096] }, { rate: 0.5, shape: [256] }])
})

test('any size and number of classes that fit are admitted; a too small image is refused with the smallest that works', () => {
  assert.equal(smallestArticleImage(), 156)
  assert.ok(layoutOf(articleNetwork({ imageSize: 156, classes: 2 })).size > 0)
  assert.throws(() => articleNetwork({ imageSize: 155, classes: 10 }), (error: Error) => error instanceof UsageError && /--image-size 155 .* at least 156/.test(error.message))
})

test('an unknown model is refused with the names that exist', () => {
  assert.throws(() => buildNetwork('resnet', { imageSize: 256, classes: 10 }), (error: Error) => error instanceof UsageError && /resnet.*article/.test(error.message))
  assert.throws(() => buildNetwork('constructor', { imageSize: 256, classes: 10 }), UsageError)
})

test("initial values are the article's framework's: uniform within 1 / sqrt(fan in), biases too", () => {
  const layout = layoutOf(articleNetwork({ imageSize: 160, classes: 10 }))
  const vector = initialParameters(layout, 3)
  for (const parameter of layout.parameters) {
    const bound = Math.fround(1 / Math.sqrt(parameter.fanIn))
    const values = viewOf(vector, parameter)
    assert.ok(values.every((value) => Math.abs(value) <= bound), parameter.name)
    assert.ok(values.some((value) => Math.abs(value) > bound * 0.6), parameter.name)
  }
  assert.deepEqual(initialParameters(layout, 3), vector)
  assert.notDeepEqual(initialParameters(layout, 4), vector)
})

test("He's initial values are uniform within sqrt(6 / fan in), with biases of zero", () => {
  const layout = layoutOf(articleNetwork({ imageSize: 160, classes: 10 }))
  const vector = initialParameters(layout, 3, 'he')
  for (const parameter of layout.parameters) {
    const bound = Math.fround(Math.sqrt(6 / parameter.fanIn))
    const values = viewOf(vector, parameter)
    if (parameter.role === 'bias') assert.ok(values.every((value) => value === 0), parameter.name)
    else assert.ok(values.every((value) => Math.abs(value) <= bound) && values.some((value) => Math.abs(value) > bound * 0.9), parameter.name)
  }
})
