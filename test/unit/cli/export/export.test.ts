import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import { loadLayersModel } from '@tensorflow/tfjs-layers'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { Checkpoint } from '../../../../shared/checkpoint/checkpoint.ts'
import { RunError, UsageError } from '../../../../shared/kit/errors.ts'
import { EXPORT_FORMATS, exportCheckpoint } from '../../../../cli/export/export.ts'
import { preprocessingSchema } from '../../../../cli/export/preprocessing.ts'
import { parameterDigest } from '../../../../shared/checkpoint/digest.ts'
import { networkSchema, type Network } from '../../../../shared/model/network.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { everyLayerNetwork, exampleCheckpoint, smallNetwork, tellingCheckpoint, temporaryFolder } from '../../shared/checkpoint/example.ts'
import { referenceLogits } from './reference.ts'
import { readTorchFile, torchReferenceLogits, type TorchDescription } from './torch_reference.ts'

before(async () => {
  setWasmPaths(`${dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'))}/`)
  await tf.setBackend('wasm')
})

const IMAGES = 3

function images(network: Network): Uint8Array[] {
  const random = new KeyedRandom(3, Purpose.draw)
  return Array.from({ length: IMAGES }, () => Uint8Array.from({ length: network.imageSize ** 2 * 3 }, () => random.below(256)))
}

function assertClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length)
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= tolerance, `${actual.join()} is not ${expected.join()}`))
}

for (const network of [smallNetwork, everyLayerNetwork]) {
  const checkpoint = tellingCheckpoint(network)

  test(`safetensors of ${network.name}: PyTorch's forward pass over its tensors gives the same logits`, async (context) => {
    const file = join(await temporaryFolder(context), 'new', 'a.safetensors')
    await exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'safetensors', file)
    const torch = readTorchFile(await readFile(file))
    for (const image of images(network)) assertClose(torchReferenceLogits(torch, image), referenceLogits(checkpoint, image), 1e-9)
  })

  test(`tfjs model of ${network.name}: tf.loadLayersModel gives the same logits from pixel values`, async (context) => {
    const folder = join(await temporaryFolder(context), 'model')
    await exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'tfjs', folder)
    const model = await loadLayersModel(await folderHandler(folder))
    const metadata = model.getUserDefinedMetadata() as { classes: string[]; imageSize: number }
    assert.deepEqual(metadata.classes, checkpoint.classes)
    assert.equal(metadata.imageSize, network.imageSize)
    for (const image of images(network)) {
      const logits = tf.tidy(() => {
        const output = model.predict(tf.tensor4d(Float32Array.from(image), [1, network.imageSize, network.imageSize, 3])) as tf.Tensor
        return [...output.dataSync()]
      })
      assertClose(logits, referenceLogits(checkpoint, image), 1e-4)
    }
    model.dispose()
  })
}

/** Serves an exported folder to tfjs, which has no file handler without tfjs-node. */
async function folderHandler(folder: string): Promise<tf.io.IOHandler> {
  const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) as tf.io.ModelJSON
  const shards = await Promise.all(model.weightsManifest.flatMap(({ paths }) => paths).map((path) => readFile(join(folder, path))))
  const weightData = Uint8Array.from(Buffer.concat(shards)).buffer
  return { load: () => Promise.resolve({ ...model, modelTopology: model.modelTopology, weightSpecs: model.weightsManifest.flatMap(({ weights }) => weights), weightData } as tf.io.ModelArtifacts) }
}

test('the names of a network without residual are those of a flat nn.Sequential, the description is readable', async (context) => {
  const file = join(await temporaryFolder(context), 'a.safetensors')
  await exportCheckpoint({ checkpoint: exampleCheckpoint(), file: 'a.ckpt' }, 'safetensors', file)
  const { metadata, tensors } = readTorchFile(await readFile(file))
  assert.deepEqual([...tensors].map(([name, { shape }]) => `${name} ${shape.join('x')}`), ['0.weight 4x3x3x3', '0.bias 4', '5.weight 5x36', '5.bias 5', '7.weight 3x5', '7.bias 3'])
  assert.equal(metadata['format'], 'pt')
  const description = JSON.parse(metadata['network']) as TorchDescription
  assert.deepEqual({ ...description, layers: description.layers.length }, { name: 'small', imageSize: 9, classes: ['cane', 'gatto', 'ragno'], mean: smallNetwork.mean, std: smallNetwork.std, layers: 8 })
})

test('residuals nest their names', async (context) => {
  const file = join(await temporaryFolder(context), 'a.safetensors')
  await exportCheckpoint({ checkpoint: exampleCheckpoint(everyLayerNetwork), file: 'a.ckpt' }, 'safetensors', file)
  const { tensors } = readTorchFile(await readFile(file))
  for (const name of ['3.layers.0.weight', '3.layers.1.running_var', '5.layers.0.weight', '5.shortcut.0.bias', '17.layers.0.weight']) assert.ok(tensors.has(name), name)
})

test('each format says how photographs are prepared for it, and several exports into one folder keep apart', async (context) => {
  const folder = await temporaryFolder(context)
  const plain = exampleCheckpoint()
  // The run resized its images to one and a half of the network's size: 13.5 pixels, which are rounded up.
  const checkpoint = { ...plain, config: { ...plain.config, evaluation: [{ name: 'resize', shortSide: 1.5 }, { name: 'centreCrop' }, { name: 'normalise' }] } }
  const places = { safetensors: ['a.safetensors', 'a.safetensors.preprocessing.json'], onnx: ['a.onnx', 'a.onnx.preprocessing.json'], tfjs: ['a.tfjs', 'a.tfjs/preprocessing.json'], savedmodel: ['1', '1/preprocessing.json'], web: ['site', 'site/model/preprocessing.json'] }
  const [first, last] = [{ shape: ['batch', 3, 9, 9], axes: 'NCHW' }, { shape: ['batch', 9, 9, 3], axes: 'NHWC' }]
  const inputs = { safetensors: { name: 'image', ...first }, onnx: { name: 'image', ...first }, tfjs: { name: 'image', ...last }, savedmodel: { name: 'images', ...last }, web: { name: 'image', ...last } }
  for (const format of EXPORT_FORMATS) {
    const [out, described] = places[format]
    await exportCheckpoint({ checkpoint, file: 'a.ckpt' }, format, join(folder, out))
    assert.deepEqual(preprocessingSchema.parse(JSON.parse(await readFile(join(folder, described), 'utf8'))), {
      formatVersion: 1, network: 'small', digest: parameterDigest(checkpoint.parameters), channels: 'RGB',
      resize: { shortSide: 14, filter: 'bilinear', antialias: true }, centreCrop: 9,
      normalise: { by: format === 'safetensors' ? 'caller' : 'model', mean: smallNetwork.mean, std: smallNetwork.std },
      input: inputs[format], output: { name: format === 'tfjs' || format === 'web' ? 'dense_2' : 'logits', shape: ['batch', 3] },
      classes: checkpoint.classes,
    })
  }
  assert.deepEqual((await readdir(folder)).sort(), ['1', 'a.onnx', 'a.onnx.preprocessing.json', 'a.safetensors', 'a.safetensors.preprocessing.json', 'a.tfjs', 'site'])
  const { metadata } = readTorchFile(await readFile(join(folder, 'a.safetensors')))
  assert.deepEqual(JSON.parse(metadata['preprocessing']), JSON.parse(await readFile(join(folder, 'a.safetensors.preprocessing.json'), 'utf8')))
})

test('weights of more than a shard are cut and come back whole', async (context) => {
  const network = networkSchema.parse({ name: 'wide', imageSize: 40, classes: 3, mean: [0, 0, 0], std: [1, 1, 1], layers: [{ type: 'flatten' }, { type: 'dense', units: 230 }, { type: 'dense', units: 3 }] })
  const checkpoint = exampleCheckpoint(network)
  const folder = join(await temporaryFolder(context), 'model')
  await exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'tfjs', folder)
  assert.deepEqual((await readdir(folder)).sort(), ['group1-shard1of2.bin', 'group1-shard2of2.bin', 'model.json', 'preprocessing.json'])
  const model = await loadLayersModel(await folderHandler(folder))
  const weights = model.getWeights().flatMap((weight) => [...weight.dataSync()])
  assert.deepEqual(Float32Array.from(weights).subarray(0, 230 * 4800), checkpoint.parameters.subarray(0, 230 * 4800))
  model.dispose()
})

test('an output that exists, a network PyTorch cannot order, and a disk that refuses: nothing is written', async (context) => {
  const folder = await temporaryFolder(context)
  const checkpoint = exampleCheckpoint()
  await writeFile(join(folder, 'taken'), 'mine')
  for (const format of EXPORT_FORMATS) {
    await assert.rejects(exportCheckpoint({ checkpoint, file: 'a.ckpt' }, format, join(folder, 'taken')), (error: unknown) => error instanceof UsageError && /exists already/.test(error.message))
    await assert.rejects(exportCheckpoint({ checkpoint, file: 'a.ckpt' }, format, join(folder, 'taken', 'inside')), RunError)
  }
  await mkdir(join(folder, 'folder'))
  await assert.rejects(exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'tfjs', join(folder, 'folder')), UsageError)
  const flattened = (layers: unknown[]): Checkpoint => exampleCheckpoint(networkSchema.parse({ ...smallNetwork, imageSize: 2, layers }))
  const adds = flattened([{ type: 'flatten' }, { type: 'residual', layers: [{ type: 'dense', units: 12 }], shortcut: [] }, { type: 'dense', units: 3 }])
  for (const format of ['safetensors', 'onnx'] as const) await assert.rejects(exportCheckpoint({ checkpoint: adds, file: 'a.ckpt' }, format, join(folder, 'a')), /channels first .PyTorch, ONNX. order differently/)
  await writeFile(join(folder, 'b.preprocessing.json'), 'mine')
  await assert.rejects(exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'onnx', join(folder, 'b')), (error: unknown) => error instanceof UsageError && /b\.preprocessing\.json exists already/.test(error.message))
  assert.equal(await readFile(join(folder, 'b.preprocessing.json'), 'utf8'), 'mine')
  assert.equal(await readFile(join(folder, 'taken'), 'utf8'), 'mine')
  assert.deepEqual((await readdir(folder)).sort(), ['b.preprocessing.json', 'folder', 'taken'])
})
