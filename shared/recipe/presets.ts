import { defaultAugmentation, defaultEvaluation } from '../data/transforms/transforms.ts'

/** The article's training of its CNN on Animals-10; every recipe has these values unless it says otherwise. */
export const article = {
  model: 'article',
  init: 'pytorch',
  imageSize: 256,
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

/** Built-in recipes by name: each has only its differences from `article`. */
export const presets = { article: {} } as const
