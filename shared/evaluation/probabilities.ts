import { displayName } from '../data/class_names.ts'
import type { DecodedImage } from '../data/transforms/decode.ts'
import { prepareForEvaluation } from '../data/transforms/apply.ts'
import type { TransformList } from '../data/transforms/transforms.ts'
import { softmax } from './blocks.ts'

/** A class, and how probable it is. */
export interface Likely {
  /** As folders have it. */
  class: string
  /** For people. */
  name: string
  probability: number
}

/**
 * Images as a run evaluates them.
 * @param images decoded to the run's `decodeTarget`
 * @param evaluation the run's evaluation transforms
 * @returns uint8 [images, imageSize, imageSize, 3]
 */
export function evaluationPixels(images: readonly DecodedImage[], imageSize: number, evaluation: TransformList): Uint8Array {
  const imageBytes = imageSize * imageSize * 3
  const pixels = new Uint8Array(images.length * imageBytes)
  images.forEach((image, index) => prepareForEvaluation(image, imageSize, evaluation, pixels, index * imageBytes))
  return pixels
}

/**
 * @param logits float32 [images, classes]
 * @returns for each image, the probabilities of its classes; undefined where the network gives no numbers: its training diverged.
 */
export function probabilitiesOf(logits: Float32Array, classes: number): Float64Array[] | undefined {
  if (logits.some((logit) => !Number.isFinite(logit))) return undefined
  return Array.from({ length: logits.length / classes }, (_, row) => softmax(logits.subarray(row * classes, (row + 1) * classes)))
}

/** The likeliest classes, the first one first. */
export function likeliest(probabilities: Float64Array, classes: readonly string[], count: number): Likely[] {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a])
  return order.slice(0, count).map((index) => ({ class: classes[index], name: displayName(classes[index]), probability: probabilities[index] }))
}
