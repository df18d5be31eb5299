import { KeyedRandom, Purpose } from '../../random/philox.ts'
import type { DecodedImage } from './decode.ts'
import { computeWindow, untouched } from './geometry.ts'
import type { Draws } from './transform.ts'
import { transforms, type TransformList } from './transforms.ts'
import type { WindowTransform } from './window_kernel.ts'

/** Key of the random numbers that augment an image. */
export interface AugmentationKey {
  seed: number
  epoch: number
  sample: number
  /** Number of times that the epoch has taken the sample before, since a copy is augmented differently; by default none. */
  repeat?: number
}

/** Values with which each transform of a list is applied to one image: those that it drew, or its parameters if it draws nothing. */
type Drawn = readonly { name: TransformList[number]['name']; drawn: unknown }[]

/** Distance between the random streams of transforms of the same name in one list: the second one has the first one's number plus this. */
const NEXT_OF_NAME = 2 ** 16
/** Distance between the random streams of copies of a sample, beyond those of a list's transforms. */
const NEXT_OF_COPY = 2 ** 22

/**
 * Draws the values with which a list is applied to an image.
 * @param key undefined for evaluation transforms, which draw nothing.
 * @throws Error if a transform draws and there is no key.
 */
export function drawTransforms(list: TransformList, key: AugmentationKey | undefined): Drawn {
  return list.map((spec, index) => {
    const { draws } = transforms[spec.name]
    if (draws === undefined) return { name: spec.name, drawn: spec }
    if (key === undefined) throw new Error(`"${spec.name}" draws random numbers, and is no evaluation transform`)
    const before = list.slice(0, index).filter(({ name }) => name === spec.name).length
    return { name: spec.name, drawn: draws.draw(spec, streamOf(draws, key, before), key.epoch) }
  })
}

function streamOf({ stream, skip = 0, sameInEachEpoch = false }: Draws<never, unknown>, { seed, epoch, sample, repeat = 0 }: AugmentationKey, before: number): KeyedRandom {
  const random = new KeyedRandom(seed, Purpose.augment, sameInEachEpoch ? 0 : epoch, sample, stream + before * NEXT_OF_NAME + repeat * NEXT_OF_COPY)
  for (let word = 0; word < skip; word++) random.uint32()
  return random
}

/**
 * Applies a list to an image with the drawn values: geometric transforms are composed and computed at once, then pixel transforms follow in
 * their order.
 * @param out uint8; [imageSize, imageSize, 3] is written from `offset`.
 */
export function applyTransforms(image: DecodedImage, imageSize: number, drawn: Drawn, out: Uint8Array, offset: number, compute?: WindowTransform): void {
  const geometry = drawn.reduce((sofar, one) => transforms[one.name].aim?.(sofar, one.drawn) ?? sofar, untouched(image, imageSize))
  computeWindow(image, geometry, out, offset, compute)
  const window = { pixels: out.subarray(offset, offset + imageSize * imageSize * 3), size: imageSize }
  for (const one of drawn) transforms[one.name].paint?.(window, one.drawn)
}

/**
 * Augments a training image. The result is uint8, since the engine does the normalisation.
 * @param out uint8; [imageSize, imageSize, 3] is written from `offset`.
 * @param compute implementation that computes the window; by default the fastest one of this machine.
 */
export function augment(image: DecodedImage, imageSize: number, augmentation: TransformList, key: AugmentationKey, out: Uint8Array, offset: number, compute?: WindowTransform): void {
  applyTransforms(image, imageSize, drawTransforms(augmentation, key), out, offset, compute)
}

/** Applies the evaluation transforms to an image, and writes it to `out` as `augment` does. */
export function prepareForEvaluation(image: DecodedImage, imageSize: number, evaluation: TransformList, out: Uint8Array, offset: number): void {
  applyTransforms(image, imageSize, drawTransforms(evaluation, undefined), out, offset)
}
