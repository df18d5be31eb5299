import { placedLayers, type Network, type PlacedLayer } from './network.ts'

/** What a layer computes for one image. */
export interface LayerWork {
  placed: PlacedLayer
  /** Multiplications of the forward pass, each with an addition, in the layers that multiply by parameters; what is inside a residual is not counted again. */
  multiplyAdds: number
  /** True if the gradient of the layer's input is computed, since parameters come before the layer. */
  inputGradient: boolean
}

/**
 * Lists the work of all layers, in the order in which they are numbered.
 * @throws ShapeError if a layer does not fit its input
 */
export function layerWork(network: Network): LayerWork[] {
  return workOf(placedLayers(network), false).work
}

/**
 * Counts the floating-point operations of one image's gradient, in the layers that multiply: each multiplication and each addition of the
 * forward pass, as many again for the gradient of the kernel, and as many again for the gradient of the layer's input. The last is not computed
 * if no parameter comes before the layer.
 * @throws ShapeError if a layer does not fit its input
 */
export function gradientFlops(network: Network): number {
  return layerWork(network).reduce((sum, { multiplyAdds, inputGradient }) => sum + 2 * multiplyAdds * (inputGradient ? 3 : 2), 0)
}

/** @param afterParameters true if parameters come before these layers, so that the gradient continues through them */
function workOf(placed: readonly PlacedLayer[], afterParameters: boolean): { work: LayerWork[]; afterParameters: boolean } {
  const work: LayerWork[] = []
  let after = afterParameters
  for (const each of placed) {
    work.push({ placed: each, multiplyAdds: multiplyAddsOf(each), inputGradient: after })
    if (each.branches === undefined) {
      after ||= hasParameters(each)
      continue
    }
    const branches = [workOf(each.branches.main, after), workOf(each.branches.shortcut, after)]
    work.push(...branches.flatMap((branch) => branch.work))
    after = branches.some((branch) => branch.afterParameters)
  }
  return { work, afterParameters: after }
}

function hasParameters({ layer: { type } }: PlacedLayer): boolean {
  return type === 'conv2d' || type === 'depthwiseConv2d' || type === 'dense' || type === 'batchNorm'
}

function multiplyAddsOf({ layer, input, output }: PlacedLayer): number {
  const outputs = output.reduce((a, b) => a * b)
  switch (layer.type) {
    case 'conv2d':
      return outputs * layer.kernel ** 2 * input[2]
    case 'depthwiseConv2d':
      return outputs * layer.kernel ** 2
    case 'dense':
      return outputs * input[0]
    case 'batchNorm':
    case 'residual':
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
      return 0
  }
}
