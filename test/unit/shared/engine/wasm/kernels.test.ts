import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { loadWasmBackend } from '../../../../../shared/engine/wasm/backend.ts'
import {
  assertClose, averagePoolGradient, convolutionGradients, depthwiseGradients, describeCase, maxPoolGradient, numbers, outputSize,
  type Case, type Values,
} from './reference.ts'

/** Shapes that between them have each padding, stride 1 to 3, even and odd windows and sizes, 1, 3 and 16 channels, batches 1, 3 and 8. */
const shapes: Case[] = []
for (const padding of ['valid', 'same'] as const) {
  for (const stride of [1, 2]) {
    shapes.push(
      { batch: 1, height: 7, width: 9, channels: 1, filters: 1, size: 3, stride, padding },
      { batch: 3, height: 8, width: 7, channels: 3, filters: 16, size: 3, stride, padding },
      { batch: 8, height: 10, width: 10, channels: 16, filters: 3, size: 3, stride, padding },
      { batch: 3, height: 9, width: 6, channels: 3, filters: 5, size: 2, stride, padding },
      { batch: 3, height: 9, width: 12, channels: 16, filters: 16, size: 4, stride, padding },
      { batch: 8, height: 5, width: 6, channels: 3, filters: 1, size: 1, stride, padding },
      { batch: 1, height: 11, width: 8, channels: 16, filters: 3, size: 5, stride, padding },
    )
  }
  // A stride longer than the window leaves pixels that no window sees.
  shapes.push({ batch: 3, height: 11, width: 10, channels: 3, filters: 4, size: 2, stride: 3, padding })
}

type Shape = [number, number, number, number]

function images(c: Case, key = 1): tf.Tensor4D {
  return tf.tensor4d(numbers(c.batch * c.height * c.width * c.channels, key), [c.batch, c.height, c.width, c.channels])
}

function outputGradient(c: Case, channels: number): tf.Tensor4D {
  const shape: Shape = [c.batch, ...outputSize(c), channels]
  return tf.tensor4d(numbers(shape.reduce((a, b) => a * b), 3), shape)
}

function kernel(c: Case): tf.Tensor4D {
  return tf.tensor4d(numbers(c.size * c.size * c.channels * c.filters, 2), [c.size, c.size, c.channels, c.filters])
}

const values = (tensor: tf.Tensor): Values => tensor.dataSync<'float32'>()

/** Runs a check for each shape, and asserts that it leaves no tensor behind. */
function eachShape(check: (shape: Case, what: string) => void): void {
  for (const shape of shapes) {
    const tensors = tf.memory().numTensors
    tf.tidy(() => check(shape, describeCase(shape)))
    assert.equal(tf.memory().numTensors, tensors, `${describeCase(shape)}: tensors left`)
  }
}

suite('gradient kernels of the wasm backend against float64 loops', () => {
  before(() => loadWasmBackend({ threads: 1 }))

  test('conv2d', () => {
    eachShape((c, what) => {
      const [x, filter, dy] = [images(c), kernel(c), outputGradient(c, c.filters)]
      const [dx, dfilter] = tf.grads((a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, c.stride, c.padding))([x, filter], dy)
      const expected = convolutionGradients(c, values(x), values(filter), values(dy))
      assert.deepEqual([dx.shape, dfilter.shape], [x.shape, filter.shape])
      assertClose(values(dx), expected.dx, 2e-6, `${what}: dx`)
      assertClose(values(dfilter), expected.dfilter, 2e-6, `${what}: dfilter`)
    })
  })

  test('depthwise conv2d, with one and two outputs for a channel', () => {
    eachShape((shape, what) => {
      const c = { ...shape, filters: shape.filters > 3 ? 2 : 1 }
      const [x, filter, dy] = [images(c), kernel(c), outputGradient(c, c.channels * c.filters)]
      const [dx, dfilter] = tf.grads((a, b) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, c.stride, c.padding))([x, filter], dy)
      const expected = depthwiseGradients(c, values(x), values(filter), values(dy))
      assertClose(values(dx), expected.dx, 2e-6, `${what}: dx`)
      assertClose(values(dfilter), expected.dfilter, 2e-6, `${what}: dfilter`)
    })
  })

  test('max pooling: negative windows keep their gradient, ties go to the first maximum', () => {
    eachShape((c, what) => {
      const dy = outputGradient(c, c.channels)
      const ordinary = images(c)
      const inputs = { ordinary, negative: tf.sub(ordinary, 10), ties: tf.round(ordinary), rectified: tf.relu(ordinary) }
      for (const [name, x] of Object.entries(inputs)) {
        const dx = tf.grad((a) => tf.maxPool(a as tf.Tensor4D, c.size, c.stride, c.padding))(x, dy)
        assertClose(values(dx), maxPoolGradient(c, values(x), values(dy)), 1e-6, `${what}: ${name}`)
      }
    })
  })

  test('average pooling: the gradient belongs to the forward pass at the border too', () => {
    eachShape((c, what) => {
      const [x, dy] = [images(c), outputGradient(c, c.channels)]
      const pool = (a: tf.Tensor): tf.Tensor => tf.avgPool(a as tf.Tensor4D, c.size, c.stride, c.padding)
      const dx = tf.grad(pool)(x, dy)
      assertClose(values(dx), averagePoolGradient(c, values(dy)), 1e-6, `${what}: dx`)
      // The pooling is linear, so <pool(x), dy> = <x, dx> holds exactly when dx is its gradient.
      const forward = tf.sum(tf.mul(pool(x), dy)).dataSync()[0]
      const backward = tf.sum(tf.mul(x, dx)).dataSync()[0]
      assert.ok(Math.abs(forward - backward) < 1e-3, `${what}: ${forward} and ${backward}`)
    })
  })
})

test('one-hot vectors with the fractions of label smoothing', async () => {
  await loadWasmBackend({ threads: 1 })
  tf.tidy(() => {
    const indices = tf.tensor1d([2, 0, 3], 'int32')
    const expected = [0.25, 0.25, 0.75, 0.75, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert.deepEqual(tf.oneHot(indices, 3, 0.75, 0.25, 'float32').dataSync(), Float32Array.from(expected), 'a class outside the depth has no one')
    assert.deepEqual(tf.oneHot(indices, 4).dataSync(), Int32Array.of(0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1))
  })
})

suite('the convolution gradients and the cache of packed filters', () => {
  before(() => loadWasmBackend({ threads: 1 }))
  const c: Case = { batch: 4, height: 20, width: 20, channels: 8, filters: 16, size: 3, stride: 1, padding: 'same' }

  test('other numbers in the same shapes give other, right gradients', () => {
    const results: Values[] = []
    for (const key of [20, 30, 20]) {
      tf.tidy(() => {
        const x = images(c, key)
        const filter = tf.tensor4d(numbers(9 * 8 * 16, key + 1), [3, 3, 8, 16])
        const dy = tf.tensor4d(numbers(4 * 20 * 20 * 16, key + 2), [4, 20, 20, 16])
        const [dx, dfilter] = tf.grads((a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([x, filter], dy)
        const expected = convolutionGradients(c, values(x), values(filter), values(dy))
        assertClose(values(dx), expected.dx, 2e-6, `key ${key}: dx`)
        assertClose(values(dfilter), expected.dfilter, 2e-6, `key ${key}: dfilter`)
        results.push(values(dfilter))
      })
    }
    assert.deepEqual(results[2], results[0], 'the same numbers give the same bits')
    assert.notDeepEqual(results[1], results[0])
  })

  test('tensors and the wasm heap do not grow over 50 repetitions, strides included', () => {
    const heapBytes = (): number => (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.byteLength
    const step = (): void => {
      for (const stride of [1, 2]) {
        tf.tidy(() => {
          const at: Case = { ...c, height: 40, width: 40, stride }
          const dy = outputGradient(at, at.filters)
          tf.grads((a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, 'same'))([tf.ones([4, 40, 40, 8]), kernel(at)], dy)
          const pooled = tf.grad((a) => tf.maxPool(tf.depthwiseConv2d(a as tf.Tensor4D, tf.ones([3, 3, 8, 1]), stride, 'same'), 2, 2, 'valid'))
          pooled(tf.ones([4, 40, 40, 8]))
        })
      }
    }
    for (let warmUp = 0; warmUp < 3; warmUp++) step()
    const before = { tensors: tf.memory().numTensors, bytes: tf.memory().numBytes, heap: heapBytes() }
    for (let repetition = 0; repetition < 50; repetition++) step()
    assert.deepEqual({ tensors: tf.memory().numTensors, bytes: tf.memory().numBytes, heap: heapBytes() }, before)
  })
})
