import assert from 'node:assert/strict'
import test from 'node:test'
import { isStatistic, layoutOf } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { placedLayers } from '../../../../shared/model/network.ts'

function parametersOf(imageSize: number, classes: number): number {
  return layoutOf(buildNetwork('herd', { imageSize, classes })).parameters.filter((parameter) => !isStatistic(parameter)).reduce((sum, { size }) => sum + size, 0)
}

test('the network herd has at most 2.24 million parameters for ten classes, whatever the size of images', () => {
  for (const imageSize of [32, 64, 128, 160, 224, 256]) assert.ok(parametersOf(imageSize, 10) <= 2_240_000, `${imageSize}: ${parametersOf(imageSize, 10)}`)
})

test('its stem brings images of each size to a side of 20 to 40 pixels', () => {
  for (const imageSize of [64, 65, 96, 128, 160, 161, 224, 256, 512]) {
    const [{ input }] = placedLayers(buildNetwork('herd', { imageSize, classes: 3 })).filter(({ layer }) => layer.type === 'residual')
    assert.ok(input[0] > 20 && input[0] <= 40 && input[2] === 48, `${imageSize}: ${input.join()}`)
  }
})
