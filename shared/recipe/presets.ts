import { defaultAugmentation, defaultEvaluation } from '../data/transforms/transforms.ts'

/** The article's training of its CNN on Animals-10; every recipe has these values unless it says otherwise. */
export const article = {
  model: 'article',
  init: 'pytorch',
  freeze: [],
  imageSize: 256,
  imageSizes: null,
  augmentation: defaultAugmentation,
  evaluation: defaultEvaluation,
  mix: null,
  epochs: 50,
  earlyStop: null,
  batch: 64,
  lanes: 8,
  sampling: 'shuffled',
  optimizer: { name: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  lr: 1e-4,
  lrOf: [],
  schedule: { name: 'constant' },
  clip: null,
  loss: { name: 'crossEntropy' },
  labelSmoothing: 0,
  seed: 0,
  precision: 'f32',
  numerics: 'native',
  compress: 'none',
  compressWeights: 'none',
  threads: 1,
  testFraction: 0.2,
  onNonfinite: 'stop',
} as const

/**
 * A few epochs from pretrained weights, for photographs of one's own: the weights are those that `herd weights get efficientnet_lite0` writes into the working
 * folder. Batch norm keeps what it has learned, since a few hundred images are too few to measure it anew; the last layer, which begins with nothing, learns fastest.
 */
const finetune = {
  model: 'efficientnet_lite0',
  init: 'efficientnet_lite0.safetensors',
  imageSize: 256,
  augmentation: [{ name: 'flip', probability: 0.5 }, { name: 'randomResizedCrop', scale: [0.35, 1] }, { name: 'normalise' }],
  evaluation: [{ name: 'resize', shortSide: 1.14 }, { name: 'centreCrop' }, { name: 'normalise' }],
  epochs: 10,
  batch: 32,
  lanes: 2,
  optimizer: { name: 'adamw', weightDecay: 0.01 },
  lr: 1e-4,
  lrOf: [{ parameters: 'head', rate: 1e-2 }],
  freeze: ['batchNorm_*'],
  schedule: { name: 'oneCycle' },
  labelSmoothing: 0.1,
} as const

/** From scratch, on a few thousand images: what has become usual since the article's time, sized for an hour on two cores. */
const modern = {
  model: 'herd',
  init: 'he',
  imageSize: 128,
  augmentation: [{ name: 'alternatingFlip' }, { name: 'randomResizedCrop', scale: [0.35, 1] }, { name: 'normalise' }],
  evaluation: [{ name: 'resize', shortSide: 1 }, { name: 'centreCrop' }, { name: 'normalise' }],
  epochs: 30,
  batch: 64,
  lanes: 2,
  optimizer: { name: 'adamw', beta2: 0.99, weightDecay: 0.05 },
  lr: 3e-3,
  schedule: { name: 'oneCycle' },
  labelSmoothing: 0.1,
} as const

/** Built-in recipes by name: each has only its differences from `article`. */
export const presets = { article: {}, modern, finetune } as const
