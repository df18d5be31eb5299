import type { Checkpoint } from '../../../../shared/checkpoint/checkpoint.ts'
import { layoutOf, viewOf } from '../../../../shared/model/layout.ts'
import { inputShape, outputShape, type Layer, type Shape } from '../../../../shared/model/network.ts'

/**
 * Herd's own forward pass, spelled out in loops and float64: rows, columns, channels; kernels HWIO; "same" by
 * TensorFlow's rule.
 * @param image uint8 [imageSize, imageSize, 3]
 * @returns logits, one for each class
 */
export function referenceLogits({ network, parameters }: Checkpoint, image: Uint8Array): number[] {
  const remaining = layoutOf(network).parameters.values()
  const next = (): Float32Array => viewOf(parameters, remaining.next().value!)

  /** The input positions in the window of each output position, each with its place in the window. */
  const windows = ([height, width]: Shape, size: number, stride: number, [outHeight, outWidth]: Shape, padding: 'valid' | 'same'): { at: number; place: number }[][] => {
    const before = padding === 'valid' ? 0 : Math.floor(Math.max((outHeight - 1) * stride + size - height, 0) / 2)
    return Array.from({ length: outHeight * outWidth }, (_, position) => {
      const cells: { at: number; place: number }[] = []
      for (let place = 0; place < size * size; place++) {
        const y = Math.floor(position / outWidth) * stride + Math.floor(place / size) - before
        const x = (position % outWidth) * stride + (place % size) - before
        if (y >= 0 && y < height && x >= 0 && x < width) cells.push({ at: y * width + x, place })
      }
      return cells
    })
  }

  const forward = (layers: readonly Layer[], input: Float64Array, inputShape_: Shape): Float64Array => {
    let x = input
    let shape = inputShape_
    for (const layer of layers) {
      const out = outputShape(layer, shape)
      const channels = shape[shape.length - 1]
      const outChannels = out[out.length - 1]
      const result = new Float64Array(out.reduce((a, b) => a * b, 1))
      const from = x
      switch (layer.type) {
        case 'conv2d':
        case 'depthwiseConv2d': {
          const kernel = next()
          const bias = layer.bias ? next() : new Float32Array(outChannels)
          windows(shape, layer.kernel, layer.stride, out, layer.padding).forEach((cells, position) => {
            for (let o = 0; o < outChannels; o++) {
              let sum = bias[o]
              for (const { at, place } of cells) {
                if (layer.type === 'depthwiseConv2d') sum += kernel[place * channels + o] * from[at * channels + o]
                else for (let c = 0; c < channels; c++) sum += kernel[(place * channels + c) * outChannels + o] * from[at * channels + c]
              }
              result[position * outChannels + o] = sum
            }
          })
          x = result
          break
        }
        case 'maxPool':
        case 'averagePool':
          windows(shape, layer.size, layer.stride, out, layer.padding).forEach((cells, position) => {
            for (let c = 0; c < channels; c++) {
              const values = cells.map(({ at }) => from[at * channels + c])
              result[position * channels + c] = layer.type === 'maxPool' ? Math.max(...values) : values.reduce((a, b) => a + b, 0) / values.length
            }
          })
          x = result
          break
        case 'globalAveragePool':
          from.forEach((value, i) => { result[i % channels] += value / (from.length / channels) })
          x = result
          break
        case 'dense': {
          const kernel = next()
          const bias = layer.bias ? next() : new Float32Array(layer.units)
          x = result.map((_, u) => from.reduce((sum, value, i) => sum + value * kernel[i * layer.units + u], bias[u]))
          break
        }
        case 'batchNorm': {
          const [gamma, beta, mean, variance] = [next(), next(), next(), next()]
          x = from.map((value, i) => ((value - mean[i % channels]) / Math.sqrt(variance[i % channels] + layer.epsilon)) * gamma[i % channels] + beta[i % channels])
          break
        }
        case 'relu':
          x = from.map((value) => Math.max(value, 0))
          break
        case 'relu6':
          x = from.map((value) => Math.min(Math.max(value, 0), 6))
          break
        case 'silu':
          x = from.map((value) => value / (1 + Math.exp(-value)))
          break
        case 'hardSwish':
          x = from.map((value) => (value * Math.min(Math.max(value + 3, 0), 6)) / 6)
          break
        case 'zeroPad': {
          const [height, width] = shape
          x = result.map((_, i) => {
            const [row, column] = [Math.floor(i / (out[1] * channels)) - layer.before, (Math.floor(i / channels) % out[1]) - layer.before]
            return row < 0 || row >= height || column < 0 || column >= width ? 0 : from[(row * width + column) * channels + (i % channels)]
          })
          break
        }
        case 'residual': {
          const main = forward(layer.layers, from, shape)
          const shortcut = forward(layer.shortcut, from, shape)
          x = main.map((value, i) => value + shortcut[i])
          break
        }
        case 'flatten':
        case 'dropout':
          break
      }
      shape = out
    }
    return x
  }

  const normalised = Float64Array.from(image, (value, i) => (value / 255 - network.mean[i % 3]) / network.std[i % 3])
  return [...forward(network.layers, normalised, inputShape(network))]
}
