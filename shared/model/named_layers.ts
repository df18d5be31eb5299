import { checkNetwork, networkSchema, type Network, type SimpleLayerInput } from './network.ts'

/** A layer as a builder writes it; `torch` is the name of its module in PyTorch, if it has parameters. */
export type NamedLayer = (SimpleLayerInput & { torch?: string }) | { type: 'residual'; layers: NamedLayer[]; shortcut: NamedLayer[] }

/** A network that was published with weights. */
export interface PublishedNetwork extends Pick<Network, 'mean' | 'std'> {
  /** Returns its layers for a number of classes. */
  layers: (classes: number) => NamedLayer[]
}

interface ConvolutionSize {
  kernel: number
  stride?: number
}

/**
 * A convolution without bias that is padded as PyTorch's `padding=kernel // 2` does, on both sides alike: with stride 1 that is "same"; with another one "same"
 * would put the odd row after, so that the image gets zeros of its own.
 * @param kernel an odd number
 */
export function convolution(torch: string, filters: number, { kernel, stride = 1 }: ConvolutionSize): NamedLayer[] {
  return padded({ kernel, stride }, (padding) => ({ type: 'conv2d', filters, kernel, stride, padding, bias: false, torch }))
}

/** A depthwise convolution, as `convolution`. */
export function depthwise(torch: string, { kernel, stride = 1 }: ConvolutionSize): NamedLayer[] {
  return padded({ kernel, stride }, (padding) => ({ type: 'depthwiseConv2d', kernel, stride, padding, bias: false, torch }))
}

function padded({ kernel, stride }: Required<ConvolutionSize>, layer: (padding: 'valid' | 'same') => NamedLayer): NamedLayer[] {
  const margin = Math.floor(kernel / 2)
  if (margin === 0) return [layer('valid')]
  return stride === 1 ? [layer('same')] : [zeroPad(margin), layer('valid')]
}

/** Zeros on all sides. */
export function zeroPad(margin: number): NamedLayer {
  return { type: 'zeroPad', before: margin, after: margin }
}

/** A batch norm with the momentum of PyTorch's default. */
export function batchNorm(torch: string, epsilon = 1e-5): NamedLayer {
  return { type: 'batchNorm', epsilon, momentum: 0.9, torch }
}

/** The end of these networks: the mean of each channel, and one logit for each class. */
export function classifier(torch: string, classes: number, dropout?: number): NamedLayer[] {
  return [{ type: 'globalAveragePool' }, ...(dropout === undefined ? [] : [{ type: 'dropout' as const, rate: dropout }]), { type: 'dense', units: classes, torch }]
}

/** Builds the network, without the names. @throws ShapeError if the image is too small */
export function networkOfPublished(name: string, { layers, mean, std }: PublishedNetwork, { imageSize, classes }: { imageSize: number; classes: number }): Network {
  const network = networkSchema.parse({ name, imageSize, classes, mean, std, layers: layers(classes) })
  checkNetwork(network)
  return network
}

/** Names of the modules that have parameters, in the order of computation: a residual's main branch before its shortcut. */
export function torchModules(layers: readonly NamedLayer[]): string[] {
  return layers.flatMap((layer) => (layer.type === 'residual' ? [...torchModules(layer.layers), ...torchModules(layer.shortcut)] : (layer.torch ?? [])))
}
