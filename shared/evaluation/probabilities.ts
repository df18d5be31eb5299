import { displayName } from '../data/class_names.ts'
import type { DecodedImage } from '../data/transforms/decode.ts'
import { prepareForEvaluation } from '../data/transforms/apply.ts'
import type { TransformList } from '../data/transforms/transforms.ts'
import { softmax } from './blocks.ts'

/** A class and its probability. */
export interface Likely {
  /** Name of the class's folder. */
  class: string
  /** Name for people: `displayName`. */
  name: string
  probability: number
}

/**
 * Applies a run's evaluation transforms to images.
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
 * Computes the softmax of each image's logits.
 * @param logits float32 [images, classes]
 * @returns the probabilities of all classes for each image; undefined if a logit is not finite, as after training that diverged.
 */
export function probabilitiesOf(logits: Float32Array, classes: number): Float64Array[] | undefined {
  if (logits.some((logit) => !Number.isFinite(logit))) return undefined
  return Array.from({ length: logits.length / classes }, (_, row) => softmax(logits.subarray(row * classes, (row + 1) * classes)))
}

/** Returns the `count` most probable classes, the most probable one first. */
export function likeliest(probabilities: Float64Array, classes: readonly string[], count: number): Likely[] {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a])
  return order.slice(0, count).map((index) => ({ class: classes[index], name: displayName(classes[index]), probability: probabilities[index] }))
}
