import { type DecodedImage } from './decode.ts'
import { type KeyedRandom } from '../../random/philox.ts'
import { kernelTransform, type WindowTransform } from './window_kernel.ts'
import { plainWindow } from './plain_window.ts'
import { axisWeights } from './resample.ts'
import { Rotation } from './rotation.ts'

/**
 * The article's transforms on 8-bit pixels, bit for bit as torchvision computes them on PIL images:
 *   training    RandomHorizontalFlip(0.3), RandomRotation(40), Resize(300), CenterCrop(256)
 *   evaluation  Resize(300), CenterCrop(256)
 * (for other image sizes the short side keeps the ratio 300 : 256). Normalisation is the engine's.
 *
 * Only what the crop shows is computed, the window: its columns of its rows. A kernel does (shared/kernels), or plain TypeScript.
 */

export const FLIP_PROBABILITY = 0.3
export const MAX_DEGREES = 40

/** Short side that an image is resized to before the crop: 300 for 256. */
export function resizeTarget(imageSize: number): number {
  return Math.round((imageSize * 300) / 256)
}

/**
 * Short side to which a larger image is reduced while it is decoded: twice the resize target, so that the antialiased resize
 * still decides the result. Only there do pixels differ from torchvision's, which decodes at full size.
 */
export function decodeTarget(imageSize: number): number {
  return 2 * resizeTarget(imageSize)
}

export interface Augmentation {
  flip: boolean
  /** Anticlockwise. */
  degrees: number
}

/** Draws flip and angle, in this order. */
export function drawAugmentation(random: KeyedRandom): Augmentation {
  const flip = random.uniform() < FLIP_PROBABILITY
  return { flip, degrees: random.between(-MAX_DEGREES, MAX_DEGREES) }
}

/**
 * A training image.
 * @param random keyed by (seed, augment, epoch, sample); two numbers are drawn.
 * @param out uint8; [imageSize, imageSize, 3] is written from `offset`.
 */
export function augment(image: DecodedImage, imageSize: number, random: KeyedRandom, out: Uint8Array, offset: number): void {
  transform(image, imageSize, drawAugmentation(random), out, offset)
}

/** An evaluation image, written to `out` as by `augment`. */
export function centre(image: DecodedImage, imageSize: number, out: Uint8Array, offset: number): void {
  transform(image, imageSize, undefined, out, offset)
}

/** In plain TypeScript where there is no kernel for this processor. */
const transformWindow = kernelTransform() ?? plainWindow

/** Flip and rotation as given (none where undefined), resize and crop. */
export function transform(image: DecodedImage, imageSize: number, augmentation: Augmentation | undefined, out: Uint8Array, offset: number, compute: WindowTransform = transformWindow): void {
  const { width, height } = image
  const [resizedWidth, resizedHeight] = resizedSize(width, height, resizeTarget(imageSize))
  const columns = axisWeights(width, resizedWidth, cropStart(resizedWidth, imageSize), imageSize)
  const rows = axisWeights(height, resizedHeight, cropStart(resizedHeight, imageSize), imageSize)
  compute(image, augmentation === undefined ? undefined : new Rotation(image, augmentation), columns, rows, out, offset)
}

/** The short side becomes `target`, the long one follows, cut to an integer (torchvision's _compute_resized_output_size). */
export function resizedSize(width: number, height: number, target: number): [width: number, height: number] {
  return width <= height ? [target, Math.trunc((target * height) / width)] : [Math.trunc((target * width) / height), target]
}

/** Where a centred crop begins: Python's round(), which takes a half to the even neighbour. */
export function cropStart(size: number, crop: number): number {
  const margin = size - crop
  const half = Math.floor(margin / 2)
  return margin % 2 === 0 || half % 2 === 0 ? half : half + 1
}
