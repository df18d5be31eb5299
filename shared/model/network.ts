import { z } from 'zod'
import { UsageError } from '../kit/errors.ts'
import { imageSizesSchema } from './image_sizes.ts'
import { networkLossSchema } from './loss.ts'

/**
 * The network as data: a list of layers that every engine compiles. Images are NHWC, convolution kernels HWIO, dense kernels [inputs, units], as
 * in TensorFlow.
 */

const positive = z.int().min(1)
const padding = z.enum(['valid', 'same'])

const simpleLayer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('conv2d'), filters: positive, kernel: positive, stride: positive.default(1), padding: padding.default('valid'), bias: z.boolean().default(true) }),
  z.object({ type: z.literal('depthwiseConv2d'), kernel: positive, stride: positive.default(1), padding: padding.default('valid'), bias: z.boolean().default(true) }),
  z.object({ type: z.literal('relu') }),
  /** min(max(x, 0), 6) */
  z.object({ type: z.literal('relu6') }),
  /** x sigmoid(x), also called swish */
  z.object({ type: z.literal('silu') }),
  /** x min(max(x + 3, 0), 6) / 6 */
  z.object({ type: z.literal('hardSwish') }),
  /**
   * Rows and columns of zeros around an image: `before` above and to the left, `after` below and to the right. Before a convolution with padding "valid" it
   * stands for PyTorch's padding, which is the same on both sides, where "same" puts the odd row after; before a max pooling too, if no value is negative.
   */
  z.object({ type: z.literal('zeroPad'), before: z.int().min(0), after: z.int().min(0) }),
  z.object({ type: z.literal('maxPool'), size: positive, stride: positive, padding: padding.default('valid') }),
  z.object({ type: z.literal('averagePool'), size: positive, stride: positive, padding: padding.default('valid') }),
  z.object({ type: z.literal('globalAveragePool') }),
  z.object({ type: z.literal('flatten') }),
  z.object({ type: z.literal('dense'), units: positive, bias: z.boolean().default(true) }),
  z.object({ type: z.literal('dropout'), rate: z.number().min(0).lt(1) }),
  /** Batch norm over all axes but the channels; `momentum` is the weight that the running average keeps at each step. */
  z.object({ type: z.literal('batchNorm'), momentum: z.number().min(0).lt(1).default(0.9), epsilon: z.number().positive().default(1e-5) }),
])

export type SimpleLayer = z.infer<typeof simpleLayer>
/** A layer as it is written, where what has a default may be left out. */
export type SimpleLayerInput = z.input<typeof simpleLayer>
/** A residual block, y = layers(x) + shortcut(x); an empty shortcut is the identity. */
export interface ResidualLayer {
  type: 'residual'
  layers: Layer[]
  shortcut: Layer[]
}
export type Layer = SimpleLayer | ResidualLayer

const layer: z.ZodType<Layer> = z.lazy(() =>
  z.union([simpleLayer, z.object({ type: z.literal('residual'), layers: z.array(layer).min(1), shortcut: z.array(layer) })]),
)

const perChannel = z.tuple([z.number(), z.number(), z.number()])

export const networkSchema = z.object({
  name: z.string().min(1),
  /** Height and width of the square input, in pixels; three channels. */
  imageSize: positive,
  classes: z.int().min(2),
  /** Mean and standard deviation of each channel: pixels enter the network as (value / 255 - mean) / std. */
  mean: perChannel,
  std: perChannel,
  layers: z.array(layer).min(1),
  /** Label smoothing s: the loss is softmax cross entropy against (1 - s) one-hot + s / classes. */
  labelSmoothing: z.number().min(0).lt(1).default(0),
  /** Absent for plain cross entropy. */
  loss: networkLossSchema.optional(),
  /** Absent if training images are of `imageSize` in each epoch. */
  imageSizes: imageSizesSchema.optional(),
  /** Names of the parameters that keep their values; absent if all are trained. A batch norm whose gamma and beta are among them keeps its running statistics too, and computes with these. */
  frozen: z.array(z.string()).min(1).optional(),
})
export type Network = z.infer<typeof networkSchema>

/** Shape of a layer's input or output without the batch dimension: [height, width, channels] or [units]. */
export type Shape = readonly number[]

/** Computes the output length of a window along one axis (TensorFlow's rules for "VALID" and "SAME"). */
export function windowOutput(input: number, size: number, stride: number, pad: 'valid' | 'same'): number {
  return pad === 'valid' ? Math.floor((input - size) / stride) + 1 : Math.ceil(input / stride)
}

/** The layers of a network do not fit each other or their input. */
export class ShapeError extends UsageError {}

function spatial(layer: Layer, input: Shape): readonly [number, number, number] {
  if (input.length !== 3) throw new ShapeError(`layer ${layer.type} needs an input of height x width x channels, but gets [${input.join(', ')}].`)
  return [input[0], input[1], input[2]]
}

/**
 * Computes the shape after one layer.
 * @throws ShapeError if the layer does not fit its input
 */
export function outputShape(layer: Layer, input: Shape): Shape {
  switch (layer.type) {
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'maxPool':
    case 'averagePool': {
      const [height, width, channels] = spatial(layer, input)
      const size = layer.type === 'maxPool' || layer.type === 'averagePool' ? layer.size : layer.kernel
      const outHeight = windowOutput(height, size, layer.stride, layer.padding)
      const outWidth = windowOutput(width, size, layer.stride, layer.padding)
      if (outHeight < 1 || outWidth < 1) throw new ShapeError(`layer ${layer.type} with a window of ${size} does not fit an input of ${height} x ${width}.`)
      return [outHeight, outWidth, layer.type === 'conv2d' ? layer.filters : channels]
    }
    case 'zeroPad': {
      const [height, width, channels] = spatial(layer, input)
      const added = layer.before + layer.after
      return [height + added, width + added, channels]
    }
    case 'globalAveragePool':
      return [spatial(layer, input)[2]]
    case 'flatten':
      return [input.reduce((a, b) => a * b, 1)]
    case 'dense':
      if (input.length !== 1) throw new ShapeError(`layer dense needs a flat input, but gets [${input.join(', ')}]: put a flatten or globalAveragePool before it.`)
      return [layer.units]
    case 'relu':
    case 'relu6':
    case 'silu':
    case 'hardSwish':
    case 'dropout':
    case 'batchNorm':
      return input
    case 'residual': {
      const main = outputOf(layer.layers, input)
      const shortcut = outputOf(layer.shortcut, input)
      if (main.join() !== shortcut.join()) throw new ShapeError(`residual adds [${main.join(', ')}] and [${shortcut.join(', ')}]: give its shortcut a layer that makes them equal.`)
      return main
    }
  }
}

/**
 * Computes the shape after a list of layers.
 * @throws ShapeError if a layer does not fit its input
 */
export function outputOf(layers: readonly Layer[], input: Shape): Shape {
  return layers.reduce((shape, layer) => outputShape(layer, shape), input)
}

/** Returns the shape of one image: [imageSize, imageSize, 3]. */
export function inputShape(network: Network): Shape {
  return [network.imageSize, network.imageSize, 3]
}

/**
 * Checks that the layers fit each other and end in one logit for each class.
 * @throws ShapeError if they do not
 */
export function checkNetwork(network: Network): void {
  const logits = outputOf(network.layers, inputShape(network))
  if (logits.length !== 1 || logits[0] !== network.classes) {
    throw new ShapeError(`network ${network.name} ends in [${logits.join(', ')}], but ${network.classes} classes need [${network.classes}] logits.`)
  }
}

/** A layer in its place in a network: its name, and the shapes that enter and leave it, without the batch dimension. */
export type PlacedLayer = { name: string; input: Shape; output: Shape } & (
  | { layer: SimpleLayer; branches?: undefined }
  | { layer: ResidualLayer; branches: { main: PlacedLayer[]; shortcut: PlacedLayer[] } }
)

/**
 * Returns all layers of a network in their places, as a tree: a residual has its branches below it. Names are like "conv2d_3": layers are
 * numbered by type in the order of computation, a residual before its contents, and its main branch before its shortcut.
 * @throws ShapeError if a layer does not fit its input
 */
export function placedLayers(network: Network): PlacedLayer[] {
  const counts = new Map<string, number>()
  const place = (layers: readonly Layer[], input: Shape): PlacedLayer[] => {
    let shape = input
    return layers.map((layer): PlacedLayer => {
      const number = (counts.get(layer.type) ?? 0) + 1
      counts.set(layer.type, number)
      const at = { name: `${layer.type}_${number}`, input: shape, output: outputShape(layer, shape) }
      const placed = layer.type === 'residual' ? { ...at, layer, branches: { main: place(layer.layers, shape), shortcut: place(layer.shortcut, shape) } } : { ...at, layer }
      shape = at.output
      return placed
    })
  }
  return place(network.layers, inputShape(network))
}

/**
 * Returns all layers in a flat list, in the order in which they are numbered.
 * @throws ShapeError if a layer does not fit its input
 */
export function walkLayers(network: Network): PlacedLayer[] {
  const flat = (layers: readonly PlacedLayer[]): PlacedLayer[] => layers.flatMap((placed) => [placed, ...(placed.branches === undefined ? [] : [...flat(placed.branches.main), ...flat(placed.branches.shortcut)])])
  return flat(placedLayers(network))
}

/** Returns the dropout layers in the order of computation (a residual's main branch first), with the shape of their mask for one sample. */
export function dropoutLayers(network: Network): { rate: number; shape: Shape }[] {
  return walkLayers(network).flatMap(({ layer, input }) => (layer.type === 'dropout' ? [{ rate: layer.rate, shape: input }] : []))
}
