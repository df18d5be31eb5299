import { UsageError } from '../kit/errors.ts'
import { checkNetwork, outputOf, ShapeError, type Layer, type Network } from './network.ts'

/** ImageNet's mean and standard deviation of each channel, as the article's transforms use them. */
export const IMAGENET_MEAN: [number, number, number] = [0.485, 0.456, 0.406]
export const IMAGENET_STD: [number, number, number] = [0.229, 0.224, 0.225]

const STAGE_FILTERS = [16, 32, 64, 128, 256]

function features(): Layer[] {
  return STAGE_FILTERS.flatMap((filters): Layer[] => [
    { type: 'conv2d', filters, kernel: 3, stride: 1, padding: 'valid', bias: true },
    { type: 'relu' },
    { type: 'conv2d', filters, kernel: 3, stride: 1, padding: 'valid', bias: true },
    { type: 'relu' },
    { type: 'maxPool', size: 2, stride: 2, padding: 'valid' },
  ])
}

function fits(imageSize: number): boolean {
  try {
    outputOf(features(), [imageSize, imageSize, 3])
    return true
  } catch (error) {
    if (error instanceof ShapeError) return false
    throw error
  }
}

/** Returns the smallest image size that survives the five stages: 156 pixels. */
export function smallestArticleImage(): number {
  let size = 1
  while (!fits(size)) size++
  return size
}

/**
 * Builds the article's CNN: five stages of two 3x3 valid convolutions and a 2x2 max pool, then two dense layers with dropout. It has 2,230,170
 * parameters for images of 256 pixels and ten classes.
 * @throws UsageError if the image is too small for the five stages; it names the smallest size that works
 */
export function articleNetwork({ imageSize = 256, classes }: { imageSize?: number; classes: number }): Network {
  if (!fits(imageSize)) {
    throw new UsageError(`--image-size ${imageSize} is too small for the network "article": its five stages need at least ${smallestArticleImage()}.`)
  }
  const network: Network = {
    name: 'article',
    imageSize,
    classes,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    labelSmoothing: 0,
    layers: [
      ...features(),
      { type: 'flatten' },
      { type: 'dropout', rate: 0.25 },
      { type: 'dense', units: 256, bias: true },
      { type: 'relu' },
      { type: 'dropout', rate: 0.5 },
      { type: 'dense', units: classes, bias: true },
    ],
  }
  checkNetwork(network)
  return network
}
