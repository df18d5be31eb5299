import { layerWork } from './flops.ts'
import { isStatistic, layerOf, layoutOf } from './layout.ts'
import { placedLayers, type Layer, type Network, type PlacedLayer, type Shape } from './network.ts'

/** What there is to know of a layer in its place. */
export interface LayerSummary {
  name: string
  layer: Layer
  /** Number of residuals that the layer is in. */
  depth: number
  output: Shape
  /** Numbers that the optimizer steps, of the layer alone: those inside a residual are theirs. */
  parameters: number
  /** Running statistics of a batch norm. */
  statistics: number
  /** Multiplications of one image's forward pass, each with an addition. */
  multiplyAdds: number
  /** Height and width, in pixels of the image, of what one number of the output depends on, padding included. */
  receptiveField: number
}

/**
 * Summarises all layers in the order in which they are numbered; a residual's receptive field is the larger one of its branches.
 * @throws ShapeError if a layer does not fit its input
 */
export function summaryOf(network: Network): LayerSummary[] {
  const counts = new Map<string, { parameters: number; statistics: number }>()
  for (const parameter of layoutOf(network).parameters) {
    const layer = layerOf(parameter)
    const { parameters, statistics } = counts.get(layer) ?? { parameters: 0, statistics: 0 }
    counts.set(layer, isStatistic(parameter) ? { parameters, statistics: statistics + parameter.size } : { parameters: parameters + parameter.size, statistics })
  }
  const views = new Map<string, { depth: number; field: number }>()
  addViews(placedLayers(network), { field: 1, apart: 1 }, 0, views)
  return layerWork(network).map(({ placed: { name, layer, output }, multiplyAdds }) => {
    const { depth, field } = views.get(name) ?? { depth: 0, field: 1 }
    return { name, layer, depth, output, ...(counts.get(name) ?? { parameters: 0, statistics: 0 }), multiplyAdds, receptiveField: field }
  })
}

/** What one pixel sees of the image, and how far apart the views of two neighbours are, in pixels of the image. */
interface View {
  field: number
  apart: number
}

/** Adds the views of layers, and of what is inside them, by name. @returns the view after the last layer */
function addViews(placed: readonly PlacedLayer[], before: View, depth: number, views: Map<string, { depth: number; field: number }>): View {
  return placed.reduce((view, each) => {
    const after = each.branches === undefined ? widened(each, view) : widest([each.branches.main, each.branches.shortcut].map((branch) => addViews(branch, view, depth + 1, views)))
    views.set(each.name, { depth, field: after.field })
    return after
  }, before)
}

function widest(views: readonly View[]): View {
  return views.reduce((a, b) => (b.field > a.field ? b : a))
}

function widened({ layer, input }: PlacedLayer, { field, apart }: View): View {
  const window = (size: number, stride: number): View => ({ field: field + (size - 1) * apart, apart: apart * stride })
  switch (layer.type) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return window(layer.kernel, layer.stride)
    case 'maxPool':
    case 'averagePool':
      return window(layer.size, layer.stride)
    case 'globalAveragePool':
    case 'flatten':
      // What follows sees all pixels.
      return input.length === 3 ? window(input[0], 1) : { field, apart }
    case 'dense':
    case 'batchNorm':
    case 'relu':
    case 'relu6':
    case 'silu':
    case 'hardSwish':
    case 'zeroPad':
    case 'dropout':
    case 'residual':
      return { field, apart }
  }
}
