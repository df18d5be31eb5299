import { z } from 'zod'
import { messageOf, UsageError } from '../kit/errors.ts'
import { articleNetwork } from './article.ts'
import { herdNetwork } from './herd.ts'
import { networkOfSize, type ImageSizes } from './image_sizes.ts'
import { layoutOf } from './layout.ts'
import type { NetworkLoss } from './loss.ts'
import { networkOfPublished } from './named_layers.ts'
import { checkNetwork, type Network } from './network.ts'
import { publishedNetworks } from './published.ts'
import { networkOfTemplate, networkTemplateSchema } from './template.ts'

type Builder = (size: { imageSize: number; classes: number }) => Network

/** Builds a network of a few thousand parameters for images of at least 8 pixels, for tests and to try out a cluster. */
function tinyNetwork({ imageSize, classes }: { imageSize: number; classes: number }): Network {
  const network: Network = {
    name: 'tiny',
    imageSize,
    classes,
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    labelSmoothing: 0,
    layers: [
      { type: 'conv2d', filters: 8, kernel: 3, stride: 2, padding: 'same', bias: true },
      { type: 'relu' },
      { type: 'conv2d', filters: 16, kernel: 3, stride: 1, padding: 'same', bias: true },
      { type: 'relu' },
      { type: 'maxPool', size: 2, stride: 2, padding: 'valid' },
      { type: 'flatten' },
      { type: 'dropout', rate: 0.25 },
      { type: 'dense', units: classes, bias: true },
    ],
  }
  checkNetwork(network)
  return network
}

const builders: Record<string, Builder> = {
  article: articleNetwork,
  herd: herdNetwork,
  tiny: tinyNetwork,
  ...Object.fromEntries(Object.entries(publishedNetworks).map(([name, network]): [string, Builder] => [name, (size) => networkOfPublished(name, network, size)])),
}

export const modelNames = Object.keys(builders)

/** Schema of a model as options give it: the name of a built-in network, or a network as data. */
export const modelSchema = z.union([z.string().min(1), networkTemplateSchema])
export type Model = z.infer<typeof modelSchema>

/** Returns the model's name. */
export function nameOfModel(model: Model): string {
  return typeof model === 'string' ? model : model.name
}

/** What a recipe adds to the layers of a network. */
export interface NetworkParts {
  labelSmoothing?: number
  /** Sizes of training images by epoch; null for the image size in each. */
  imageSizes?: ImageSizes | null
  loss?: NetworkLoss | undefined
  /** Mean and deviation of pixels, if they are not the network's own. */
  normalisation?: Partial<Pick<Network, 'mean' | 'std'>>
}

/**
 * Builds a model's network for an image size and a number of classes.
 * @throws UsageError if the name is unknown, an image is too small, a template does not fit, or sizes of training images do not
 */
export function buildNetwork(model: Model, size: { imageSize: number; classes: number }, { labelSmoothing = 0, imageSizes = null, loss, normalisation }: NetworkParts = {}): Network {
  const network = typeof model === 'string' ? builderOf(model)(size) : networkOfTemplate(model, size)
  const sized = imageSizes === null ? network : { ...network, imageSizes }
  checkImageSizes(sized)
  return { ...sized, ...normalisation, labelSmoothing, ...(loss === undefined ? {} : { loss }) }
}

/** @throws UsageError if a size is above the image size, for which images are decoded, or does not fit the layers and their parameters */
function checkImageSizes(network: Network): void {
  const { imageSize, imageSizes = [] } = network
  const { size: vector } = layoutOf(network)
  for (const { from, size } of imageSizes) {
    const wrong = `--image-sizes: size ${size} from epoch ${from} on`
    if (size > imageSize) throw new UsageError(`${wrong} is above --image-size ${imageSize}: choose a smaller one, or a larger --image-size.`)
    const sized = networkOfSize(network, size)
    try {
      checkNetwork(sized)
    } catch (error) {
      throw new UsageError(`${wrong} does not fit network ${network.name}: ${messageOf(error)}`, { cause: error })
    }
    const parameters = layoutOf(sized).size
    if (parameters !== vector) {
      throw new UsageError(`${wrong}: network ${network.name} has ${parameters} parameters there and ${vector} at ${imageSize}, since it flattens images: choose a network with a globalAveragePool.`)
    }
  }
}

function builderOf(name: string): Builder {
  if (!Object.hasOwn(builders, name)) throw new UsageError(`--model "${name}" is unknown: choose one of ${modelNames.join(', ')}, or a JSON file.`)
  return builders[name]
}
