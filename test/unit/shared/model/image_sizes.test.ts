import assert from 'node:assert/strict'
import test from 'node:test'
import { imageSizesSchema, networkOfSize, sizesOf, trainingSizeAt } from '../../../../shared/model/image_sizes.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { UsageError } from '../../../../shared/kit/errors.ts'

const sizes = [{ from: 2, size: 16 }, { from: 5, size: 24 }, { from: 7, size: 32 }]

test('training images change their size at the epochs that are named, and tests have the image size', () => {
  const network = { imageSize: 32, imageSizes: sizes }
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 8, 100].map((epoch) => trainingSizeAt(network, epoch)), [32, 16, 16, 16, 24, 24, 32, 32, 32])
  assert.deepEqual(sizesOf(network), [32, 16, 24])
  assert.equal(trainingSizeAt({ imageSize: 32 }, 3), 32)
  assert.deepEqual(sizesOf({ imageSize: 32 }), [32])
})

test('epochs that do not increase, and sizes that no network takes, are refused', () => {
  for (const wrong of [[], [{ from: 3, size: 16 }, { from: 3, size: 24 }], [{ from: 0, size: 16 }], [{ from: 1, size: 4 }]]) assert.equal(imageSizesSchema.safeParse(wrong).success, false)
})

test('a network is the same at each size, or refused with the reason', () => {
  const network = buildNetwork('resnet18', { imageSize: 64, classes: 3 }, { imageSizes: [{ from: 1, size: 40 }] })
  assert.equal(layoutOf(networkOfSize(network, 40)).size, layoutOf(network).size)
  const refused = (model: string, size: number): string => {
    try {
      buildNetwork(model, { imageSize: 64, classes: 3 }, { imageSizes: [{ from: 2, size }] })
    } catch (error) {
      assert.ok(error instanceof UsageError)
      return error.message
    }
    return 'not refused'
  }
  assert.match(refused('resnet18', 80), /^--image-sizes: size 80 from epoch 2 on is above --image-size 64/)
  assert.match(refused('tiny', 32), /network tiny has \d+ parameters there and \d+ at 64, since it flattens images/)
})
