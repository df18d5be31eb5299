import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { NamedTensorMap } from '@tensorflow/tfjs-core'
import { favoursProducts, productKernelGradient, type UnitStrideConvolution } from '../../../../shared/engine/graph/kernel_gradient.ts'
import { createGraphEngine } from '../../../../shared/engine/graph/engine.ts'
import { NodeBuilder } from '../../../../shared/engine/graph/node_builder.ts'
import { writeSavedModel } from '../../../../shared/engine/graph/saved_model.ts'
import { loadNative } from '../../../../shared/engine/native.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { articleNetwork } from '../../../../shared/model/article.ts'
import { windowOutput } from '../../../../shared/model/network.ts'
import { laneOf, parametersOf, relativeError } from './layers_problem.ts'

/** Tests that compare the gradient of a kernel by matrix products with TensorFlow's own operation for it. */

const { tf } = loadNative({ threads: 1, gpu: undefined })

function convolution(height: number, width: number, channels: number, filters: number, kernel: number, padding: 'valid' | 'same'): UnitStrideConvolution {
  const outputShape = [windowOutput(height, kernel, 1, padding), windowOutput(width, kernel, 1, padding), filters]
  return { kernel, padding, inputShape: [height, width, channels], outputShape }
}

/** Computes both gradients of one convolution for lanes of several sizes. */
async function gradientsOf(of: UnitStrideConvolution, batches: readonly number[]): Promise<{ products: Float32Array; library: Float32Array }[]> {
  const { kernel, padding, inputShape, outputShape } = of
  const graph = new NodeBuilder()
  const x = { value: graph.placeholder('x', 'float32', [-1, ...inputShape]), shape: [-1, ...inputShape] }
  const dy = { value: graph.placeholder('dy', 'float32', [-1, ...outputShape]), shape: [-1, ...outputShape] }
  const shape = [kernel, kernel, inputShape[2], outputShape[2]]
  const attributes = { T: { type: 'float32' }, strides: { ints: [1, 1, 1, 1] }, padding: { string: padding.toUpperCase() } } as const
  const library = graph.node('Conv2DBackpropFilter', [x.value, graph.integers(shape), dy.value], attributes, ['float32'])[0]
  const products = productKernelGradient(graph, x.value, dy.value, of)
  const folder = await mkdtemp(join(tmpdir(), 'herd-test-'))
  try {
    const outputs = { library: { value: graph.operation('Identity', [library]), shape }, products: { value: graph.operation('Identity', [products]), shape } }
    await writeSavedModel(folder, graph, { both: { inputs: { x, dy }, outputs } })
    const model = await tf.node.loadSavedModel(folder, ['serve'], 'both')
    return batches.map((batch) => {
      const computed = model.predict({ x: tf.randomNormal([batch, ...inputShape], 0, 1, 'float32', 1), dy: tf.randomNormal([batch, ...outputShape], 0, 1, 'float32', 2) }) as NamedTensorMap
      return { library: computed.library.dataSync<'float32'>(), products: computed.products.dataSync<'float32'>() }
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const cases: Record<string, UnitStrideConvolution> = {
  'columns beside each other': convolution(12, 9, 16, 32, 3, 'valid'),
  'columns apart': convolution(7, 8, 128, 16, 3, 'valid'),
  'same padding': convolution(6, 5, 32, 16, 3, 'same'),
  'same padding, columns apart': convolution(6, 5, 128, 3, 3, 'same'),
  'even kernel': convolution(9, 9, 4, 5, 4, 'valid'),
  'even kernel, same padding': convolution(9, 8, 4, 5, 2, 'same'),
  'kernel of one pixel': convolution(5, 6, 48, 32, 1, 'valid'),
  'kernel of one pixel, columns apart': convolution(5, 6, 130, 32, 1, 'same'),
  'kernel as large as the image': convolution(5, 5, 7, 3, 5, 'valid'),
  'channels that are not aligned': convolution(10, 11, 3, 7, 5, 'valid'),
}

for (const [name, of] of Object.entries(cases)) {
  test(`the gradient of a kernel as products: ${name}`, async () => {
    for (const { products, library } of await gradientsOf(of, [1, 3, 8])) {
      assert.equal(products.length, library.length)
      assert.ok(relativeError(products, library) < 1e-6, `differs by ${relativeError(products, library)}`)
    }
  })
}

test('products are taken where they are wide, long, and of few zeros', () => {
  assert.equal(favoursProducts(convolution(61, 61, 32, 64, 3, 'valid')), true)
  assert.equal(favoursProducts(convolution(56, 56, 64, 64, 1, 'same')), true)
  assert.equal(favoursProducts(convolution(256, 256, 3, 16, 3, 'valid')), false)
  assert.equal(favoursProducts(convolution(254, 254, 16, 16, 3, 'valid')), false)
  assert.equal(favoursProducts(convolution(10, 10, 256, 256, 3, 'valid')), false)
})

test("the article's network has the same gradient in both forms, but for rounding", async () => {
  const network = articleNetwork({ imageSize: 160, classes: 3 })
  const layout = layoutOf(network)
  const lane = laneOf(network, 3)
  const gradientOf = async (forms: 'library' | 'products'): Promise<Float32Array> => {
    const engine = await createGraphEngine(network, { precision: 'f32', threads: 1, gpu: undefined, forms })
    const gradient = new Float32Array(layout.size)
    engine.setParameters(parametersOf(network))
    engine.laneGradient(lane, gradient)
    engine.dispose()
    return gradient
  }
  const [library, products] = [await gradientOf('library'), await gradientOf('products')]
  assert.notDeepEqual(products, library)
  for (const { name, offset, size } of layout.parameters) {
    const error = relativeError(products.subarray(offset, offset + size), library.subarray(offset, offset + size))
    assert.ok(error < 1e-5, `${name} differs by ${error}`)
  }
})
