import { parseArgs } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-wasm'
import { loadWasmBackend } from '../../shared/engine/wasm/backend.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'

/**
 * Measures the wasm engine's gradient kernels against naive ones: the backend's own if it has one (input gradient of a
 * convolution, pooling), else plain loops. The two run alternately, so that a change of the machine's load affects both; the
 * table gives the median time of each, and the median ratio with its smallest and largest value.
 *
 *   node bin/run.mjs benchmark/single/wasm.ts [--image-size 160] [--batch 8] [--repetitions 5]
 */

type Tensor4D = tf.Tensor4D
interface Contest {
  name: string
  ours: () => tf.Tensor
  naive: () => tf.Tensor
}

/** The backend's own kernels, kept before this project's take their place. */
const stock = new Map(tf.getKernelsForBackend('wasm').map((kernel) => [kernel.kernelName, kernel]))

function runStock(name: string, inputs: tf.NamedTensorMap, attributes: object): tf.Tensor {
  const kernel = stock.get(name)
  if (!kernel) throw new Error(`the backend has no kernel ${name}`)
  const info = kernel.kernelFunc({ inputs, attrs: attributes as tf.NamedAttrMap, backend: tf.backend() })
  return tf.engine().makeTensorFromTensorInfo(info as tf.TensorInfo)
}

/** The filter gradient of a valid convolution, computed straight from its definition. */
function naiveFilterGradient(x: Tensor4D, dy: Tensor4D, [size, , channels, filters]: number[]): tf.Tensor {
  const [batch, height, width] = x.shape
  const [, outHeight, outWidth] = dy.shape
  const input = x.dataSync<'float32'>()
  const gradient = dy.dataSync<'float32'>()
  const sums = new Float32Array(size * size * channels * filters)
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < outHeight; y++) {
      for (let column = 0; column < outWidth; column++) {
        const from = ((n * outHeight + y) * outWidth + column) * filters
        for (let tap = 0; tap < size * size; tap++) {
          const pixel = ((n * height + y + Math.floor(tap / size)) * width + column + (tap % size)) * channels
          for (let channel = 0; channel < channels; channel++) {
            const value = input[pixel + channel]
            const to = (tap * channels + channel) * filters
            for (let out = 0; out < filters; out++) sums[to + out] += value * gradient[from + out]
          }
        }
      }
    }
  }
  return tf.tensor(sums, [size, size, channels, filters])
}

function random(shape: number[], key: number): Tensor4D {
  const source = new KeyedRandom(5, Purpose.fingerprint, key)
  return tf.tensor4d(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => source.between(-1, 1)), shape as Tensor4D['shape'])
}

/** A contest for each different gradient kernel of the article's network at this image size. */
function contests(imageSize: number, batch: number): Contest[] {
  const found: Contest[] = []
  let size = imageSize
  let channels = 3
  for (const filters of [16, 32, 64, 128, 256]) {
    for (let layer = 0; layer < 2; layer++) {
      const x = random([batch, size, size, channels], 1)
      const filter = random([3, 3, channels, filters], 2)
      const dy = random([batch, size - 2, size - 2, filters], 3)
      const label = `${channels} -> ${filters} at ${size}`
      const attributes = { strides: 1, pad: 'valid', dataFormat: 'NHWC', inputShape: x.shape }
      found.push(
        {
          name: `conv2d filter gradient ${label}`,
          ours: () => tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, { ...attributes, filterShape: filter.shape }) as tf.Tensor,
          naive: () => naiveFilterGradient(x, dy, filter.shape),
        },
        {
          name: `conv2d input gradient ${label}`,
          ours: () => tf.engine().runKernel('Conv2DBackpropInput', { dy, filter }, attributes) as tf.Tensor,
          naive: () => runStock('Conv2DBackpropInput', { dy, filter }, attributes),
        },
      )
      size -= 2
      channels = filters
    }
    const input = random([batch, size, size, channels], 4)
    const output = tf.maxPool(input, 2, 2, 'valid')
    const pooling = { filterSize: 2, strides: 2, pad: 'valid' }
    for (const name of ['MaxPoolGrad', 'AvgPoolGrad']) {
      found.push({
        name: `${name} ${channels} at ${size}`,
        ours: () => tf.engine().runKernel(name, { dy: output, input, output }, pooling) as tf.Tensor,
        naive: () => runStock(name, { dy: output, input, output }, pooling),
      })
    }
    size = Math.floor(size / 2)
  }
  return found
}

function milliseconds(run: () => tf.Tensor): number {
  const start = performance.now()
  run().dispose()
  return performance.now() - start
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
}

const { values } = parseArgs({
  options: {
    'image-size': { type: 'string', default: '160' },
    batch: { type: 'string', default: '8' },
    repetitions: { type: 'string', default: '5' },
  },
})
await loadWasmBackend({ threads: 1 })
// The backend sets up the kernels that are registered when it starts; this project's had replaced the stock ones by then.
for (const kernel of stock.values()) kernel.setupFunc?.(tf.backend())
process.stdout.write(`${'kernel'.padEnd(44)} ${'ours ms'.padStart(9)} ${'naive ms'.padStart(9)}   naive / ours (smallest to largest)\n`)
const totals = { ours: 0, naive: 0 }
for (const { name, ours, naive } of contests(Number(values['image-size']), Number(values.batch))) {
  milliseconds(ours)
  const times = Array.from({ length: Number(values.repetitions) }, () => ({ ours: milliseconds(ours), naive: milliseconds(naive) }))
  const ratios = times.map((time) => time.naive / time.ours)
  const [mine, other] = [median(times.map((time) => time.ours)), median(times.map((time) => time.naive))]
  if (name.startsWith('conv2d')) {
    totals.ours += mine
    totals.naive += other
  }
  process.stdout.write(
    `${name.padEnd(44)} ${mine.toFixed(1).padStart(9)} ${other.toFixed(1).padStart(9)}   ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})\n`,
  )
}
process.stdout.write(`convolution gradients of the whole network: ${(totals.naive / totals.ours).toFixed(2)} times a naive kernel\n`)
