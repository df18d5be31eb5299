import { KeyedRandom, Purpose } from '../../random/philox.ts'
import type { DecodedImage } from './decode.ts'
import { computeWindow, untouched } from './geometry.ts'
import type { Draws } from './transform.ts'
import { transforms, type TransformList } from './transforms.ts'
import type { WindowTransform } from './window_kernel.ts'

/** What the augmentation of an image depends on besides the list. */
export interface AugmentationKey {
  seed: number
  epoch: number
  sample: number
}

/** What each transform of a list does to one image. */
type Drawn = readonly { name: TransformList[number]['name']; drawn: unknown }[]

/** Streams of one transform that a list has several times: the second one of a name has the first one's number plus this. */
const NEXT_OF_NAME = 2 ** 16

/**
 * Draws what a list does to an image.
 * @param key undefined for evaluation transforms, which draw nothing.
 */
export function drawTransforms(list: TransformList, key: AugmentationKey | undefined): Drawn {
  return list.map((spec, index) => {
    const { draws } = transforms[spec.name]
    if (draws === undefined) return { name: spec.name, drawn: spec }
    if (key === undefined) throw new Error(`"${spec.name}" draws random numbers, and is no evaluation transform`)
    const before = list.slice(0, index).filter(({ name }) => name === spec.name).length
    return { name: spec.name, drawn: draws.draw(spec, streamOf(draws, key, before)) }
  })
}

function streamOf({ stream, skip = 0 }: Draws<never, unknown>, { seed, epoch, sample }: AugmentationKey, before: number): KeyedRandom {
  const random = new KeyedRandom(seed, Purpose.augment, epoch, sample, stream + before * NEXT_OF_NAME)
  for (let word = 0; word < skip; word++) random.uint32()
  return random
}

/**
 * Does to an image what was drawn: geometric transforms are composed and computed at once, then those of pixels follow in their order.
 * @param out uint8; [imageSize, imageSize, 3] is written from `offset`.
 */
export function applyTransforms(image: DecodedImage, imageSize: number, drawn: Drawn, out: Uint8Array, offset: number, compute?: WindowTransform): void {
  const geometry = drawn.reduce((sofar, one) => transforms[one.name].aim?.(sofar, one.drawn) ?? sofar, untouched(image, imageSize))
  computeWindow(image, geometry, out, offset, compute)
  const window = { pixels: out.subarray(offset, offset + imageSize * imageSize * 3), size: imageSize }
  for (const one of drawn) transforms[one.name].paint?.(window, one.drawn)
}

/**
 * A training image, uint8: normalisation is the engine's.
 * @param compute what computes the window, where it is not the fastest that there is.
 * @param out as for `applyTransforms`.
 */
export function augment(image: DecodedImage, imageSize: number, augmentation: TransformList, key: AugmentationKey, out: Uint8Array, offset: number, compute?: WindowTransform): void {
  applyTransforms(image, imageSize, drawTransforms(augmentation, key), out, offset, compute)
}

/** An image that the network is evaluated on, written to `out` as by `augment`. */
export function prepareForEvaluation(image: DecodedImage, imageSize: number, evaluation: TransformList, out: Uint8Array, offset: number): void {
  applyTransforms(image, imageSize, drawTransforms(evaluation, undefined), out, offset)
}
