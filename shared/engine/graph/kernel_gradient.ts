import type { Shape } from '../../model/network.ts'
import type { NodeBuilder, Value } from './node_builder.ts'

/** A convolution of stride 1 from x [batch, height, width, channels] to y [batch, oh, ow, filters]. */
export interface UnitStrideConvolution {
  kernel: number
  padding: 'valid' | 'same'
  /** height, width, channels */
  inputShape: Shape
  /** oh, ow, filters */
  outputShape: Shape
}

/** Least numbers of columns and of filters with which a product is faster than the library's kernel. */
const LEAST_COLUMNS = 48
const LEAST_FILTERS = 32
/** Least number of y's pixels for each pixel of x, padding included: with fewer, the gain is lost on multiplying zeros. */
const LEAST_USED = 0.8
/** Least number of channels with which there is one product for each pixel of the kernel; with fewer, such products are too narrow to be fast. */
const WIDE = 128

/** Returns true if `productKernelGradient` is faster than oneDNN's kernel on a processor with AVX2 and without AVX512, as measured on the article's layers. */
export function favoursProducts({ kernel, padding, inputShape, outputShape }: UnitStrideConvolution): boolean {
  const [height, width, channels] = inputShape
  const [outputHeight, outputWidth, filters] = outputShape
  const added = padding === 'same' ? kernel - 1 : 0
  return channels * kernel >= LEAST_COLUMNS && filters >= LEAST_FILTERS && (outputHeight * outputWidth) / ((height + added) * (width + added)) >= LEAST_USED
}

/**
 * Emits the gradient of a convolution's kernel as plain matrix products.
 *
 * All pixels of all images of x are one long row, and dy gets zeros to the right and below until it is as high and as wide as x. Then
 * pixel (h + i, w + j) of x comes i * width + j pixels after pixel (h, w) of dy, so that dW[i, j] is the sum over all pixels p of
 * x[p + i * width + j]' dy[p]: the product of two slices of the long rows, which are views. Products of few channels are slow; if there
 * are few, the pixels under one row of the kernel are first put side by side, as one pixel of more channels.
 * @param x [batch, height, width, channels]
 * @param dy [batch, oh, ow, filters]
 * @returns [kernel, kernel, channels, filters]
 */
export function productKernelGradient(graph: NodeBuilder, x: Value, dy: Value, { kernel, padding, inputShape, outputShape }: UnitStrideConvolution): Value {
  const [, width, channels] = inputShape
  const filters = outputShape[2]
  const margin = kernel - 1
  const before = padding === 'same' ? Math.floor(margin / 2) : 0
  const after = padding === 'same' ? margin - before : 0
  const rowWidth = before + width + after
  const pixels = graph.reshape(graph.padImages(x, before, after), [-1, channels])
  const gradients = graph.reshape(graph.padImages(dy, 0, margin), [-1, filters])

  const withoutLast = (count: number): Value => graph.operation('Sub', [graph.shapeOf(pixels), graph.integers([count, channels + 1])])
  const slice = (row: Value, first: number, size: Value): Value => graph.operation('Slice', [row, graph.integers([first, 0]), size], { Index: { type: 'int32' } })
  const size = withoutLast(margin * rowWidth + margin)
  const gradient = slice(gradients, 0, size)
  const product = (row: Value, first: number): Value => graph.operation('MatMul', [slice(row, first, size), gradient], { transpose_a: { bool: true } })

  const indices = Array.from({ length: kernel }, (_, index) => index)
  if (channels >= WIDE) {
    const products = indices.flatMap((row) => indices.map((column) => product(pixels, row * rowWidth + column)))
    return graph.reshape(graph.concat(products, 0), [kernel, kernel, channels, filters])
  }
  const beside = graph.concat(indices.map((column) => slice(pixels, column, withoutLast(margin))), 1)
  const products = indices.map((row) => product(beside, row * rowWidth))
  return graph.reshape(graph.concat(products, 0), [kernel, kernel, channels, filters])
}
