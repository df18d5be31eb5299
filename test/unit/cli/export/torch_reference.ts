import type { TorchLayer } from '../../../../shared/checkpoint/torch_weights.ts'

/** Content of a file exported for PyTorch, read without Herd's reader. */
export interface TorchFile {
  metadata: Record<string, string>
  tensors: Map<string, { shape: number[]; values: Float32Array }>
}

export interface TorchDescription {
  name: string
  imageSize: number
  classes: string[]
  mean: number[]
  std: number[]
  layers: TorchLayer[]
}

export function readTorchFile(bytes: Buffer): TorchFile {
  const length = Number(bytes.readBigUInt64LE(0))
  const { __metadata__: metadata, ...entries } = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, unknown> & { __metadata__: Record<string, string> }
  const tensors = Object.entries(entries as Record<string, { shape: number[]; data_offsets: [number, number] }>).map(([name, { shape, data_offsets: [begin, end] }]) => {
    const values = Float32Array.from({ length: (end - begin) / 4 }, (_, i) => bytes.readFloatLE(8 + length + begin + 4 * i))
    return [name, { shape, values }] as const
  })
  return { metadata, tensors: new Map(tensors) }
}

/** One image, channels first. A flat vector has height and width 1. */
interface Planes {
  channels: number
  size: number
  flat: boolean
  values: Float64Array
}

/**
 * PyTorch's forward pass, spelled out in loops and float64: channels first, kernels OIHW, dense [out, in],
 * flatten in the order channels, rows, columns.
 * @param image uint8 [imageSize, imageSize, 3]
 * @returns logits, one for each class
 */
export function torchReferenceLogits({ metadata, tensors }: TorchFile, image: Uint8Array): number[] {
  const { imageSize, mean, std, layers } = JSON.parse(metadata['network']) as TorchDescription
  const area = imageSize * imageSize
  const input = Float64Array.from({ length: 3 * area }, (_, i) => (image[(i % area) * 3 + Math.floor(i / area)] / 255 - mean[Math.floor(i / area)]) / std[Math.floor(i / area)])
  const used = new Set<string>()
  const weight = (name: string, shape: number[]): Float32Array => {
    const tensor = tensors.get(name)
    if (tensor === undefined || tensor.shape.join() !== shape.join()) throw new Error(`${name} should be [${shape.join()}], is [${tensor?.shape.join() ?? 'absent'}]`)
    used.add(name)
    return tensor.values
  }

  /** Slides a window over every channel; `visit` gets the indices of the input's elements inside the image. */
  const slide = (x: Planes, size: number, stride: number, [before, after]: [number, number], visit: (channel: number, cells: { index: number; window: number }[]) => number, channels = x.channels): Planes => {
    const outSize = Math.floor((x.size + before + after - size) / stride) + 1
    const values = new Float64Array(channels * outSize * outSize)
    for (let row = 0; row < outSize; row++) {
      for (let column = 0; column < outSize; column++) {
        const cells: { index: number; window: number }[] = []
        for (let i = 0; i < size; i++) {
          for (let j = 0; j < size; j++) {
            const y = row * stride + i - before
            const z = column * stride + j - before
            if (y >= 0 && y < x.size && z >= 0 && z < x.size) cells.push({ index: y * x.size + z, window: i * size + j })
          }
        }
        for (let channel = 0; channel < channels; channel++) values[(channel * outSize + row) * outSize + column] = visit(channel, cells)
      }
    }
    return { channels, size: outSize, flat: false, values }
  }

  const forward = (list: TorchLayer[], start: Planes, prefix: string): Planes =>
    list.reduce((x, layer, index): Planes => {
      const name = `${prefix}${index}`
      const plane = x.size * x.size
      switch (layer.type) {
        case 'conv2d': {
          const kernel = weight(`${name}.weight`, [layer.filters, x.channels, layer.kernel, layer.kernel])
          const bias = layer.bias ? weight(`${name}.bias`, [layer.filters]) : new Float32Array(layer.filters)
          const window = layer.kernel ** 2
          return slide(x, layer.kernel, layer.stride, layer.pad!, (out, cells) => {
            let sum = bias[out]
            for (let channel = 0; channel < x.channels; channel++) for (const cell of cells) sum += kernel[(out * x.channels + channel) * window + cell.window] * x.values[channel * plane + cell.index]
            return sum
          }, layer.filters)
        }
        case 'depthwiseConv2d': {
          const kernel = weight(`${name}.weight`, [x.channels, 1, layer.kernel, layer.kernel])
          const bias = layer.bias ? weight(`${name}.bias`, [x.channels]) : new Float32Array(x.channels)
          return slide(x, layer.kernel, layer.stride, layer.pad!, (channel, cells) => cells.reduce((sum, cell) => sum + kernel[channel * layer.kernel ** 2 + cell.window] * x.values[channel * plane + cell.index], bias[channel]))
        }
        case 'maxPool':
          return slide(x, layer.size, layer.stride, layer.pad!, (channel, cells) => Math.max(...cells.map(({ index }) => x.values[channel * plane + index])))
        case 'averagePool':
          return slide(x, layer.size, layer.stride, layer.pad!, (channel, cells) => cells.reduce((sum, { index }) => sum + x.values[channel * plane + index], 0) / cells.length)
        case 'globalAveragePool':
          return { channels: x.channels, size: 1, flat: true, values: Float64Array.from({ length: x.channels }, (_, c) => x.values.subarray(c * plane, (c + 1) * plane).reduce((a, b) => a + b, 0) / plane) }
        case 'flatten':
          return { channels: x.channels * plane, size: 1, flat: true, values: x.values }
        case 'dense': {
          const kernel = weight(`${name}.weight`, [layer.units, x.channels])
          const bias = layer.bias ? weight(`${name}.bias`, [layer.units]) : new Float32Array(layer.units)
          return { channels: layer.units, size: 1, flat: true, values: Float64Array.from({ length: layer.units }, (_, u) => x.values.reduce((sum, value, i) => sum + value * kernel[u * x.channels + i], bias[u])) }
        }
        case 'batchNorm': {
          const [gamma, beta, runningMean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => weight(`${name}.${part}`, [x.channels]))
          return { ...x, values: x.values.map((value, i) => {
            const channel = Math.floor(i / plane)
            return ((value - runningMean[channel]) / Math.sqrt(variance[channel] + layer.epsilon)) * gamma[channel] + beta[channel]
          }) }
        }
        case 'relu':
          return { ...x, values: x.values.map((value) => Math.max(value, 0)) }
        case 'relu6':
          return { ...x, values: x.values.map((value) => Math.min(Math.max(value, 0), 6)) }
        case 'silu':
          return { ...x, values: x.values.map((value) => value / (1 + Math.exp(-value))) }
        case 'hardSwish':
          return { ...x, values: x.values.map((value) => (value * Math.min(Math.max(value + 3, 0), 6)) / 6) }
        case 'zeroPad': {
          const size = x.size + layer.before + layer.after
          const values = new Float64Array(x.channels * size * size)
          x.values.forEach((value, i) => {
            const row = Math.floor((i % plane) / x.size) + layer.before
            values[(Math.floor(i / plane) * size + row) * size + (i % x.size) + layer.before] = value
          })
          return { ...x, size, values }
        }
        case 'dropout':
          return x
        case 'residual': {
          const main = forward(layer.layers, x, `${name}.layers.`)
          const shortcut = forward(layer.shortcut, x, `${name}.shortcut.`)
          return { ...main, values: main.values.map((value, i) => value + shortcut.values[i]) }
        }
      }
    }, start)

  const logits = [...forward(layers, { channels: 3, size: imageSize, flat: false, values: input }, '').values]
  if (used.size !== tensors.size) throw new Error(`${tensors.size - used.size} tensors of the file belong to no layer`)
  return logits
}
