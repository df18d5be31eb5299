import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type * as TensorFlow from '@tensorflow/tfjs-node'
import { loadNative, nativeAvailable } from '../../../../shared/engine/native.ts'
import { exportCheckpoint } from '../../../../cli/export/export.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { everyLayerNetwork, tellingCheckpoint, temporaryFolder } from '../../shared/checkpoint/example.ts'
import { referenceLogits } from './reference.ts'

test('SavedModel: TensorFlow loads it and gives the same logits from pixel values; class names lie beside it', { skip: !nativeAvailable() && 'no native engine' }, async (context) => {
  const { tf } = loadNative({ threads: 1, gpu: undefined })
  const folder = join(await temporaryFolder(context), 'model')
  const checkpoint = tellingCheckpoint(everyLayerNetwork)
  await exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'savedmodel', folder)
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'assets', 'classes.json'), 'utf8')), checkpoint.classes)

  const { imageSize } = everyLayerNetwork
  const random = new KeyedRandom(3, Purpose.draw)
  const image = Uint8Array.from({ length: imageSize ** 2 * 3 }, () => random.below(256))
  const model = await tf.node.loadSavedModel(folder, ['serve'], 'serving_default')
  const outputs = model.predict({ images: tf.tensor4d(Float32Array.from(image), [1, imageSize, imageSize, 3]) }) as TensorFlow.NamedTensorMap
  const expected = referenceLogits(checkpoint, image)
  const actual = [...outputs['logits'].dataSync()]
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-4, `${actual.join()} is not ${expected.join()}`))
  model.dispose()
})
