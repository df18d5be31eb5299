import { z } from 'zod'
import { parameterDigest, type Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { resizeTarget } from '../../shared/data/transforms/resize.ts'
import type { TransformList } from '../../shared/data/transforms/transforms.ts'
import { IMAGES, LOGITS } from '../../shared/engine/graph/training_graph.ts'
import { inputShape, placedLayers, type Network } from '../../shared/model/network.ts'

/** A model that other programs load, in a file or a folder. */
export type ModelFormat = 'safetensors' | 'onnx' | 'tfjs' | 'savedmodel'

/** Version of the file, raised when a program that reads it would misunderstand it. */
const FORMAT_VERSION = 1

const size = z.int().min(1)
const perChannel = z.tuple([z.number(), z.number(), z.number()])
/** Name and shape of a float32 tensor; a model takes any number of images at a time. */
const tensor = z.strictObject({ name: z.string().min(1), shape: z.array(z.union([z.literal('batch'), size])) })

/**
 * All that a program must know to prepare a photograph for an exported model and to read its answer, in the order in which it is done: the file
 * preprocessing.json in an exported folder, and FILE.preprocessing.json beside an exported file.
 */
export const preprocessingSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  /** Name of the network, and the sha256 of its weights, as a run prints it at its end. */
  network: z.string().min(1),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** The photograph is turned as its EXIF orientation says, transparency is put on white; embedded colour profiles are ignored. */
  channels: z.literal('RGB'),
  /** The short side in pixels; the long one keeps the ratio, truncated to an integer. Bilinear with antialiasing, as Pillow has it. */
  resize: z.strictObject({ shortSide: size, filter: z.literal('bilinear'), antialias: z.literal(true) }),
  /** Side in pixels of the square from the middle. Half a pixel of margin is rounded to the even number. */
  centreCrop: size,
  /** (value / 255 - mean) / std for each channel. `by` says whether the model does that, whose input is then values from 0 to 255, or the program that uses it. */
  normalise: z.strictObject({ by: z.enum(['model', 'caller']), mean: perChannel, std: perChannel }),
  /** `axes`: N is the batch, H height, W width, C channels. */
  input: tensor.extend({ axes: z.enum(['NCHW', 'NHWC']) }),
  /** Logits, whose softmax is the probabilities. */
  output: tensor,
  /** Names of the classes, in the order of the logits. */
  classes: z.array(z.string()).min(2),
})
export type Preprocessing = z.infer<typeof preprocessingSchema>

/** Name of the file in an exported folder, and the end of its name beside an exported file. */
export const PREPROCESSING_FILE = 'preprocessing.json'

/**
 * Describes how photographs are prepared for a checkpoint's network in a format.
 * @param evaluation the evaluation transforms of its run, with mean and standard deviation filled in
 */
export function preprocessingOf({ network, classes, parameters }: Checkpoint, evaluation: TransformList, format: ModelFormat): Preprocessing {
  const { imageSize, mean, std } = network
  const resize = evaluation.find(({ name }) => name === 'resize')
  // The chain of forms that a list leads through allows evaluation transforms no other.
  if (resize?.name !== 'resize' || evaluation.map(({ name }) => name).join() !== 'resize,centreCrop,normalise') {
    throw new Error(`evaluation transforms ${evaluation.map(({ name }) => name).join(', ')} are not described by ${PREPROCESSING_FILE}`)
  }
  return preprocessingSchema.parse({
    formatVersion: FORMAT_VERSION,
    network: network.name,
    digest: parameterDigest(parameters),
    channels: 'RGB',
    resize: { shortSide: resizeTarget(resize.shortSide, imageSize), filter: 'bilinear', antialias: true },
    centreCrop: imageSize,
    normalise: { by: format === 'safetensors' ? 'caller' : 'model', mean, std },
    ...endpoints(network, format),
    classes,
  })
}

function endpoints(network: Network, format: ModelFormat): { input: object; output: object } {
  const [height, width, channels] = inputShape(network)
  const channelsFirst = { name: 'image', shape: ['batch', channels, height, width], axes: 'NCHW' }
  const channelsLast = { name: 'image', shape: ['batch', height, width, channels], axes: 'NHWC' }
  const output = { name: LOGITS, shape: ['batch', network.classes] }
  switch (format) {
    case 'safetensors':
    case 'onnx':
      return { input: channelsFirst, output }
    case 'savedmodel':
      return { input: { ...channelsLast, name: IMAGES }, output }
    case 'tfjs':
      return { input: channelsLast, output: { ...output, name: placedLayers(network).at(-1)?.name } }
  }
}
