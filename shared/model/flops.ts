import { placedLayers, type Network, type PlacedLayer } from './network.ts'

/**
 * Counts the floating-point operations of one image's gradient, in the layers that multiply: each multiplication and each addition of the
 * forward pass, as many again for the gradient of the kernel, and as many again for the gradient of the layer's input. The last is not computed
 * if no parameter comes before the layer.
 * @throws ShapeError if a layer does not fit its input
 */
export function gradientFlops(network: Network): number {
  return flopsOf(placedLayers(network), false).flops
}

/** @param afterParameters true if parameters come before these layers, so that the gradient continues through them */
function flopsOf(placed: readonly PlacedLayer[], afterParameters: boolean): { flops: number; afterParameters: boolean } {
  return placed.reduce((sum, { layer, branches, input, output }) => {
    if (branches !== undefined) {
      const inBranches = [branches.main, branches.shortcut].map((branch) => flopsOf(branch, sum.afterParameters))
      return { flops: inBranches.reduce((flops, branch) => flops + branch.flops, sum.flops), afterParameters: inBranches.some((branch) => branch.afterParameters) }
    }
    switch (layer.type) {
      case 'conv2d':
      case 'depthwiseConv2d':
      case 'dense': {
        const inputsOfAnOutput = layer.type === 'dense' ? input[0] : layer.kernel ** 2 * (layer.type === 'conv2d' ? input[2] : 1)
        const products = output.reduce((a, b) => a * b) * inputsOfAnOutput
        return { flops: sum.flops + 2 * products * (sum.afterParameters ? 3 : 2), afterParameters: true }
      }
      case 'batchNorm':
        return { ...sum, afterParameters: true }
      case 'relu':
      case 'relu6':
      case 'silu':
      case 'hardSwish':
      case 'zeroPad':
      case 'maxPool':
      case 'averagePool':
      case 'globalAveragePool':
      case 'flatten':
      case 'dropout':
        return sum
    }
  }, { flops: 0, afterParameters })
}
