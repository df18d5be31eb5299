import { outputOf, type Network } from './network.ts'

/**
 * Floating-point operations of an image's gradient, in the layers that multiply matrices: each multiplication and addition of
 * the forward pass, and as many again for the gradients of the kernel and of the input, of which the first layer needs none.
 * Of plain sequences of layers, as the article's network is: what stands inside a residual is not counted.
 */
export function gradientFlops({ layers, imageSize }: Network): number {
  let flops = 0
  let shape: readonly number[] = [imageSize, imageSize, 3]
  let first = true
  for (const layer of layers) {
    const before = shape
    shape = outputOf([layer], shape)
    if (layer.type !== 'conv2d' && layer.type !== 'dense') continue
    const products = layer.type === 'conv2d' ? shape.reduce((a, b) => a * b) * layer.kernel ** 2 * before[2] : before[0] * layer.units
    flops += 2 * products * (first ? 2 : 3)
    first = false
  }
  return flops
}
