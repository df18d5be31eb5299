import type { NamedTensor } from './safetensors.ts'
import type { Checkpoint } from './format.ts'
import { UsageError } from '../kit/errors.ts'
import { layoutOf, viewOf } from '../model/layout.ts'
import { inputShape, outputShape, windowOutput, type Layer, type Shape } from '../model/network.ts'

/**
 * A layer as in Herd's network. A layer with a sliding window has `pad` too: how many zeros (for max pooling: minus infinity)
 * TensorFlow's "same" puts before and after each spatial axis. The two may differ by one, which PyTorch's layers cannot express.
 */
export type TorchLayer = (Exclude<Layer, { type: 'residual' }> & { pad?: [number, number] }) | { type: 'residual'; layers: TorchLayer[]; shortcut: TorchLayer[] }

/** Weights under the names, and in the layout, that PyTorch's modules expect. */
export interface TorchNetwork {
  tensors: NamedTensor[]
  layers: TorchLayer[]
}

/** Index in Herd's order of each element of a flat vector in PyTorch's order; null if the orders agree. */
type Order = Uint32Array | null

/**
 * Translates a checkpoint's parameters for PyTorch. PyTorch's flatten walks channels, rows, columns; Herd's walks rows,
 * columns, channels. So the parameters after a flatten, up to and including the next dense layer, are permuted.
 *
 * Names are those of `nn.Sequential` over the list of layers, each layer a module: "0.weight", "0.bias", ...; a residual
 * is a module with two such sequences: "3.layers.0.weight", "3.shortcut.0.weight". Convolutions are OIHW, depthwise
 * ones [channels, 1, height, width], dense ones [out, in], batch norm weight, bias, running_mean and running_var.
 * @throws UsageError if a residual adds vectors whose orders differ, or the logits are a flattened image.
 */
export function torchNetwork({ network, parameters }: Pick<Checkpoint, 'network' | 'parameters'>): TorchNetwork {
  // The layout lists parameters in the order of computation, which is the order of this walk.
  const remaining = layoutOf(network).parameters.values()
  const tensors: NamedTensor[] = []
  const next = (): Float32Array => viewOf(parameters, remaining.next().value!)

  const walk = (layers: readonly Layer[], input: Shape, inputOrder: Order, prefix: string): { layers: TorchLayer[]; order: Order } => {
    let shape = input
    let order = inputOrder
    const translated = layers.map((layer, index): TorchLayer => {
      const add = (name: string, size: readonly number[], values: Float32Array): void => {
        tensors.push({ name: `${prefix}${index}.${name}`, shape: size, values })
      }
      const channels = shape[shape.length - 1]
      const before = shape
      shape = outputShape(layer, shape)
      switch (layer.type) {
        case 'conv2d':
          add('weight', [layer.filters, channels, layer.kernel, layer.kernel], convolutionKernel(next(), layer.kernel ** 2, channels, layer.filters))
          if (layer.bias) add('bias', [layer.filters], next())
          return { ...layer, pad: samePadding(before[0], layer.kernel, layer) }
        case 'depthwiseConv2d':
          add('weight', [channels, 1, layer.kernel, layer.kernel], transpose(next(), layer.kernel ** 2, channels))
          if (layer.bias) add('bias', [channels], next())
          return { ...layer, pad: samePadding(before[0], layer.kernel, layer) }
        case 'maxPool':
        case 'averagePool':
          return { ...layer, pad: samePadding(before[0], layer.size, layer) }
        case 'dense':
          add('weight', [layer.units, channels], transpose(permuteRows(next(), order, layer.units), channels, layer.units))
          if (layer.bias) add('bias', [layer.units], next())
          order = null
          return layer
        case 'batchNorm':
          for (const name of ['weight', 'bias', 'running_mean', 'running_var']) add(name, [channels], permuteRows(next(), order, 1))
          return layer
        case 'flatten':
          if (before.length === 3) order = channelsFirst(before[0] * before[1], channels)
          return layer
        case 'residual': {
          const main = walk(layer.layers, before, order, `${prefix}${index}.layers.`)
          const shortcut = walk(layer.shortcut, before, order, `${prefix}${index}.shortcut.`)
          if (!sameOrder(main.order, shortcut.order)) throw new UsageError(`network ${network.name} adds a flattened image to other features, which formats with channels first (PyTorch, ONNX) order differently: export it as tfjs, savedmodel or web.`)
          order = main.order
          return { type: 'residual', layers: main.layers, shortcut: shortcut.layers }
        }
        case 'relu':
        case 'relu6':
        case 'silu':
        case 'hardSwish':
        case 'zeroPad':
        case 'globalAveragePool':
        case 'dropout':
          return layer
      }
    })
    return { layers: translated, order }
  }

  const { layers, order } = walk(network.layers, inputShape(network), null, '')
  if (order !== null) throw new UsageError(`network ${network.name} ends in a flattened image, which formats with channels first (PyTorch, ONNX) order differently: export it as tfjs, savedmodel or web.`)
  return { tensors, layers }
}

/** Padding that "same" adds before and after an axis (TensorFlow's rule: the odd one goes after). */
function samePadding(input: number, size: number, { stride, padding }: { stride: number; padding: 'valid' | 'same' }): [number, number] {
  if (padding === 'valid') return [0, 0]
  const total = Math.max((windowOutput(input, size, stride, 'same') - 1) * stride + size - input, 0)
  return [Math.floor(total / 2), Math.ceil(total / 2)]
}

/** Reorders a kernel from HWIO to OIHW; `positions` is height times width. */
function convolutionKernel(kernel: Float32Array, positions: number, inputs: number, outputs: number): Float32Array {
  const result = new Float32Array(kernel.length)
  for (let position = 0; position < positions; position++) {
    for (let input = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++) {
        result[(output * inputs + input) * positions + position] = kernel[(position * inputs + input) * outputs + output]
      }
    }
  }
  return result
}

/** Transposes a matrix [rows, columns] to [columns, rows]. */
function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column]
  }
  return result
}

/** Order of a flattened image of [positions, channels] in Herd: PyTorch's is [channels, positions]. */
function channelsFirst(positions: number, channels: number): Order {
  if (positions === 1 || channels === 1) return null
  return Uint32Array.from({ length: positions * channels }, (_, index) => (index % positions) * channels + Math.floor(index / positions))
}

/** Brings the rows of a matrix with the given number of columns into PyTorch's order. */
function permuteRows(matrix: Float32Array, order: Order, columns: number): Float32Array {
  if (order === null) return matrix
  const result = new Float32Array(matrix.length)
  order.forEach((from, to) => result.set(matrix.subarray(from * columns, (from + 1) * columns), to * columns))
  return result
}

function sameOrder(a: Order, b: Order): boolean {
  return a === b || (a !== null && b !== null && a.join() === b.join())
}
