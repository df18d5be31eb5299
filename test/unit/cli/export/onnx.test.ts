import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import sharp from 'sharp'
import { z } from 'zod'
import { renderAnimal } from '../../../../cli/draw/raster.ts'
import { exportCheckpoint } from '../../../../cli/export/export.ts'
import { preprocessingSchema } from '../../../../cli/export/preprocessing.ts'
import type { Checkpoint } from '../../../../shared/checkpoint/checkpoint.ts'
import { decodeImage } from '../../../../shared/data/transforms/decode.ts'
import { defaultTransforms, decodeTarget } from '../../../../shared/data/transforms/transforms.ts'
import { createEngine } from '../../../../shared/engine/create.ts'
import { evaluationPixels, likeliest, probabilitiesOf } from '../../../../shared/evaluation/probabilities.ts'
import { ROOT } from '../../../../shared/kit/project.ts'
import { smallestArticleImage } from '../../../../shared/model/article.ts'
import { initialParameters } from '../../../../shared/model/initial.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { buildNetwork, modelNames } from '../../../../shared/model/models.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { runPython, withoutPython } from '../../../support/python.ts'
import { everyLayerNetwork, exampleCheckpoint, smallNetwork, tellingCheckpoint, temporaryFolder } from '../../shared/checkpoint/example.ts'

/** Tests that ONNX Runtime computes an exported file as Herd computes the checkpoint. */

const needsRuntime = { skip: withoutPython('onnxruntime') }
const IMAGES = 2

const endpoint = z.tuple([z.string(), z.string(), z.array(z.union([z.string(), z.number()]))])
const foundSchema = z.array(z.object({ inputs: z.array(endpoint), outputs: z.array(endpoint), metadata: z.record(z.string(), z.string()), logits: z.array(z.array(z.number())) }))

/** Checkpoints of the networks that the tests make up, with random values everywhere, and of each network by name, with initial weights that keep the signal's size. */
function checkpoints(): Checkpoint[] {
  const named = modelNames.map((name): Checkpoint => {
    const network = buildNetwork(name, { imageSize: name === 'article' ? smallestArticleImage() : 33, classes: 3 })
    const layout = layoutOf(network)
    return { ...exampleCheckpoint(), network, parameters: initialParameters(layout, 3, 'he'), moments: [] }
  })
  return [...[smallNetwork, everyLayerNetwork].map(tellingCheckpoint), ...named]
}

async function engineLogits({ network, parameters }: Checkpoint, pixels: Uint8Array, count: number): Promise<Float32Array> {
  const engine = await createEngine(network, { engine: 'wasm', precision: 'f32', threads: 1, numerics: 'native', gpu: undefined })
  try {
    engine.setParameters(parameters)
    return engine.logits(pixels, count)
  } finally {
    engine.dispose()
  }
}

async function exportOnnx(context: TestContext, checkpoint: Checkpoint, name = 'animals.onnx'): Promise<string> {
  const folder = await temporaryFolder(context)
  await exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'onnx', join(folder, name))
  return folder
}

test('ONNX Runtime gives the logits of the engine for every network by name and every layer, and finds what the file is about', needsRuntime, async (context) => {
  const folder = await temporaryFolder(context)
  const cases: { checkpoint: Checkpoint; pixels: Uint8Array; model: string; images: string }[] = []
  for (const checkpoint of checkpoints()) {
    const { name, imageSize } = checkpoint.network
    const random = new KeyedRandom(3, Purpose.draw)
    const pixels = Uint8Array.from({ length: IMAGES * imageSize ** 2 * 3 }, () => random.below(256))
    const [model, images] = [join(folder, `${name}.onnx`), join(folder, `${name}.bin`)]
    await exportCheckpoint({ checkpoint, file: 'a.ckpt' }, 'onnx', model)
    await writeFile(images, pixels)
    cases.push({ checkpoint, pixels, model, images })
  }
  const input = JSON.stringify(cases.map(({ model, images }) => ({ model, images })))
  const found = foundSchema.parse(JSON.parse(await runPython('onnxruntime', [join(ROOT, 'test/support/onnx_logits.py')], { input })))

  assert.equal(found.length, cases.length)
  for (const [index, { checkpoint, pixels, model }] of cases.entries()) {
    const { network, classes } = checkpoint
    const { inputs, outputs, metadata, logits } = found[index]
    assert.deepEqual(inputs, [['image', 'tensor(float)', ['batch', 3, network.imageSize, network.imageSize]]])
    assert.deepEqual(outputs, [['logits', 'tensor(float)', ['batch', 3]]])
    assert.deepEqual(JSON.parse(metadata['classes']), classes)
    assert.deepEqual(JSON.parse(metadata['preprocessing']), JSON.parse(await readFile(`${model}.preprocessing.json`, 'utf8')))
    const expected = await engineLogits(checkpoint, pixels, IMAGES)
    // What two images differ by is the measure: all the rest of a logit may be its bias.
    const scale = Math.max(...classes.map((_, index) => Math.abs(expected[index] - expected[index + classes.length])))
    logits.flat().forEach((logit, i) => assert.ok(Math.abs(logit - expected[i]) <= 1e-4 * scale, `${network.name}: ${logits.join()} is not ${expected.join()}`))
  }
})

test("the documents' program in Python gives the classes and probabilities of Herd for a photograph", needsRuntime, async (context) => {
  const network = buildNetwork('tiny', { imageSize: 64, classes: 3 })
  const checkpoint = { ...exampleCheckpoint(), network, parameters: initialParameters(layoutOf(network), 3), moments: [] }
  const folder = await exportOnnx(context, checkpoint)
  const photograph = await sharp(await renderAnimal(1, 4, 2)).resize(140, 101).jpeg({ quality: 95 }).toBuffer()
  await writeFile(join(folder, 'photo.jpg'), photograph)
  const [, program] = /```python\n([^]*?)```/.exec(await readFile(join(ROOT, 'docs/export.md'), 'utf8')) ?? []
  await writeFile(join(folder, 'classify.py'), program)
  const printed = await runPython('onnxruntime', ['classify.py'], { cwd: folder })

  const transforms = defaultTransforms(network)
  const pixels = evaluationPixels([await decodeImage(photograph, decodeTarget(transforms, 64))], 64, transforms.evaluation)
  const [probabilities] = probabilitiesOf(await engineLogits(checkpoint, pixels, 1), 3) ?? []
  assert.equal(printed, likeliest(probabilities, checkpoint.classes, 3).map((likely) => `${likely.class} ${likely.probability.toFixed(3)}\n`).join(''))
  const about = preprocessingSchema.parse(JSON.parse(await readFile(join(folder, 'animals.onnx.preprocessing.json'), 'utf8')))
  assert.deepEqual([about.resize.shortSide, about.centreCrop, about.normalise.by], [75, 64, 'model'])
})
