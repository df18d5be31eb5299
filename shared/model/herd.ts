import { IMAGENET_MEAN, IMAGENET_STD } from './article.ts'
import { checkNetwork, networkSchema, type Network, type SimpleLayerInput } from './network.ts'

type LayerInput = SimpleLayerInput | { type: 'residual'; layers: SimpleLayerInput[]; shortcut: SimpleLayerInput[] }

const relu: LayerInput = { type: 'relu' }

/** Filters of the first stage, twice and four times as many in the next ones, and the number of blocks of each. */
const FIRST_FILTERS = 48
const BLOCKS = [1, 2, 2]
/** The stem halves images until their side is at most this, in pixels, so that images of any size cost much the same after it. */
const LARGEST_STAGE = 40

/**
 * Herd's own network, for training from scratch on a processor: a stem of strided convolutions, three stages of plain residual blocks (He et al., "Deep Residual
 * Learning", 2016), and the mean of each channel: 1,532,194 parameters for ten classes. A block that halves the image does so in its shortcut by
 * a mean of four pixels, which loses none of them (He et al., "Bag of Tricks", 2019, ResNet-D).
 * @throws ShapeError if the image is too small
 */
export function herdNetwork({ imageSize, classes }: { imageSize: number; classes: number }): Network {
  const network = networkSchema.parse({
    name: 'herd', imageSize, classes, mean: IMAGENET_MEAN, std: IMAGENET_STD,
    layers: [...stem(imageSize), ...stages(), { type: 'globalAveragePool' }, { type: 'dense', units: classes }],
  })
  checkNetwork(network)
  return network
}

/** Strided convolutions, the last with the filters of the first stage and each one before with half as many as the next. */
function stem(imageSize: number): LayerInput[] {
  const halvings = Math.max(1, Math.ceil(Math.log2(imageSize / LARGEST_STAGE)))
  return Array.from({ length: halvings }, (_, index) => Math.max(FIRST_FILTERS / 2 ** (halvings - 1 - index), FIRST_FILTERS / 4)).flatMap((filters) => [...normalised(filters, 3, 2), relu])
}

function stages(): LayerInput[] {
  let channels = FIRST_FILTERS
  return BLOCKS.flatMap((blocks, stage) =>
    Array.from({ length: blocks }, (_, index): LayerInput[] => {
      const before = channels
      channels = FIRST_FILTERS * 2 ** stage
      return residual(before, channels, stage > 0 && index === 0)
    }).flat(),
  )
}

/** A block of two convolutions, which may halve the image. */
function residual(channels: number, filters: number, halves: boolean): LayerInput[] {
  const halving: SimpleLayerInput[] = halves ? [{ type: 'averagePool', size: 2, stride: 2, padding: 'same' }] : []
  const layers = [...normalised(filters, 3, halves ? 2 : 1), { type: 'relu' as const }, ...normalised(filters, 3, 1)]
  return [{ type: 'residual', layers, shortcut: channels === filters && !halves ? [] : [...halving, ...normalised(filters, 1, 1)] }, relu]
}

/** A convolution and the batch norm after it. */
function normalised(filters: number, kernel: number, stride: number): SimpleLayerInput[] {
  return [{ type: 'conv2d', filters, kernel, stride, padding: 'same', bias: false }, { type: 'batchNorm' }]
}
