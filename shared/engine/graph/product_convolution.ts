import type { Shape } from '../../model/network.ts'
import type { NodeBuilder, Value } from './node_builder.ts'

/**
 * Convolutions and gradients of their inputs as plain matrix products. oneDNN's own kernels for them cut the sum over the channels, and choose among
 * each other, by the sizes of the processor's caches; its matrix product cuts sums at places that depend on the instruction set alone.
 */

/** A convolution from x [batch, height, width, channels] to y [batch, oh, ow, filters]. */
export interface Convolution {
  kernel: number
  stride: number
  padding: 'valid' | 'same'
  /** height, width, channels */
  inputShape: Shape
  /** oh, ow, filters */
  outputShape: Shape
}

/** Pixels that are added on both sides of a row or column, or taken away where the number is negative. */
type Margin = readonly [before: number, after: number]

/**
 * Emits a convolution as matrix products.
 * @param x [batch, height, width, channels]
 * @param kernel [kernel, kernel, channels, filters]
 * @returns [batch, oh, ow, filters]
 */
export function productConvolution(graph: NodeBuilder, x: Value, kernel: Value, convolution: Convolution): Value {
  const { stride, outputShape } = convolution
  // A kernel of one pixel sees only the pixels that the stride leaves.
  if (convolution.kernel === 1) return unitConvolution(graph, everyPixel(graph, x, stride, outputShape), kernel, 1, [...outputShape.slice(0, 2), convolution.inputShape[2]], outputShape[2])
  const margins = marginsOf(convolution)
  const shape = [...margins.map((margin, axis) => convolution.inputShape[axis] + margin[0] + margin[1]), convolution.inputShape[2]]
  return everyPixel(graph, unitConvolution(graph, withMargins(graph, x, margins), kernel, convolution.kernel, shape, outputShape[2]), stride, outputShape)
}

/**
 * Emits the gradient of `productConvolution`'s input: the convolution of dy, between whose pixels are as many zeros as the stride leaves out, with the kernel
 * turned by half a turn.
 * @param kernel [kernel, kernel, channels, filters]
 * @param dy [batch, oh, ow, filters]
 * @returns [batch, height, width, channels]
 */
export function productInputGradient(graph: NodeBuilder, kernel: Value, dy: Value, convolution: Convolution): Value {
  const { kernel: size, inputShape, outputShape } = convolution
  const channels = inputShape[2]
  const turned = graph.node('Transpose', [graph.operation('ReverseV2', [kernel, graph.integers([0, 1])], { Tidx: { type: 'int32' } }), graph.integers([0, 1, 3, 2])], { T: { type: kernel.type }, Tperm: { type: 'int32' } }, [kernel.type])[0]
  const spread = withZerosBetween(graph, dy, convolution)
  const margins = marginsOf(convolution).map(([before], axis): Margin => [size - 1 - before, inputShape[axis] + before - outputShape[axis] * convolution.stride])
  return unitConvolution(graph, withMargins(graph, spread, margins), turned, size, [inputShape[0] + size - 1, inputShape[1] + size - 1, outputShape[2]], channels)
}

/**
 * Emits a convolution of stride 1 without padding. All pixels of all images are one long row, and the pixels under a row of the kernel are put side by side, as
 * one pixel of more channels. The pixel below is then as many pixels later as an image is wide, so that each row of the kernel takes one product of a slice
 * of the long row, which is a view. The results where the kernel reaches into the next row or image are left out.
 * @param x [batch, height, width, channels]
 * @param kernel [size, size, channels, filters]
 * @param shape height, width, channels
 */
function unitConvolution(graph: NodeBuilder, x: Value, kernel: Value, size: number, [height, width, channels]: Shape, filters: number): Value {
  const matrix = graph.reshape(kernel, [-1, filters])
  if (size === 1) return graph.reshape(graph.operation('MatMul', [graph.reshape(x, [-1, channels]), matrix]), [-1, height, width, filters])
  const indices = Array.from({ length: size }, (_, index) => index)
  const slice = (value: Value, first: number, extent: Value): Value => graph.operation('Slice', [value, graph.integers([first, 0]), extent], { Index: { type: 'int32' } })
  const less = (extent: Value, rows: number, columns: number): Value => graph.operation('Sub', [extent, graph.integers([rows, columns])])
  const pixels = graph.pad(graph.reshape(x, [-1, channels]), [[0, (size - 1) * (width + 1)], [0, 0]])
  const extent = graph.shapeOf(pixels)
  const beside = graph.concat(indices.map((column) => slice(pixels, column, less(extent, size - 1, 0))), 1)
  const rows = less(extent, (size - 1) * (width + 1), channels + 1)
  const products = indices.map((row) => graph.operation('MatMul', [slice(beside, row * width, rows), slice(matrix, row * size * channels, graph.integers([size * channels, filters]))]))
  const sum = graph.node('AddN', products, { N: { int: size }, T: { type: x.type } }, [x.type])[0]
  return everyPixel(graph, graph.reshape(sum, [-1, height, width, filters]), 1, [height - size + 1, width - size + 1])
}

/** Emits the rows and columns of images that a stride leaves, from the first on, as many as there are in `shape`. */
function everyPixel(graph: NodeBuilder, images: Value, stride: number, [height, width]: Shape): Value {
  const ends = [0, (height - 1) * stride + 1, (width - 1) * stride + 1, 0]
  // The mask's bits are dimensions of which all is taken: images and channels.
  return graph.operation('StridedSlice', [images, graph.integers([0, 0, 0, 0]), graph.integers(ends), graph.integers([1, stride, stride, 1])], { Index: { type: 'int32' }, end_mask: { int: 0b1001 } })
}

/** Spreads y's pixels as far apart as those of x that they are computed from, with zeros between. */
function withZerosBetween(graph: NodeBuilder, y: Value, { stride, outputShape: [height, width, filters] }: Convolution): Value {
  if (stride === 1) return y
  const apart = graph.reshape(y, [-1, height, 1, width, 1, filters])
  const gap = [0, stride - 1] as const
  return graph.reshape(graph.pad(apart, [[0, 0], [0, 0], gap, [0, 0], gap, [0, 0]]), [-1, height * stride, width * stride, filters])
}

/** Margins of zeros around x, of rows and of columns, as TensorFlow's padding has them; without padding, what no pixel of y sees is taken away. */
function marginsOf({ kernel, stride, padding, inputShape, outputShape }: Convolution): Margin[] {
  return [0, 1].map((axis) => {
    const added = (outputShape[axis] - 1) * stride + kernel - inputShape[axis]
    const before = padding === 'same' ? Math.floor(Math.max(added, 0) / 2) : 0
    return [before, added - before]
  })
}

function withMargins(graph: NodeBuilder, images: Value, margins: readonly Margin[]): Value {
  const kept = margins.map(([, after]) => Math.min(after, 0))
  const cut = kept.every((after) => after === 0) ? images : graph.operation('StridedSlice', [images, graph.integers([0, 0, 0, 0]), graph.integers([0, ...kept, 0]), graph.integers([1, 1, 1, 1])], { Index: { type: 'int32' }, end_mask: { int: 0b1001 | (kept[0] === 0 ? 0b10 : 0) | (kept[1] === 0 ? 0b100 : 0) } })
  return graph.pad(cut, [[0, 0], ...margins.map(([before, after]): Margin => [before, Math.max(after, 0)]), [0, 0]])
}
