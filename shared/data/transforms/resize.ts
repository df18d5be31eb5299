import { z } from 'zod'
import { fixedTransform } from './transform.ts'

/** Default ratio of the short side to the network's image size: 300 pixels for 256. */
const SHORT_SIDE = 300 / 256
/** Largest ratio, which limits the memory and the time that a photograph takes. */
const MAX_SHORT_SIDE = 8

/** The transform resize: torchvision's Resize on PIL images. The short side becomes `shortSide` times the network's image size, bilinear with antialiasing. */
export const resize = fixedTransform({
  schema: z.strictObject({ name: z.literal('resize'), shortSide: z.number().min(1).max(MAX_SHORT_SIDE).default(SHORT_SIDE) }),
  takes: ['photograph', 'turned'],
  gives: 'resized',
  // Larger photographs are decoded at twice the target, so that the antialiased resize still decides the result. Only their pixels differ from
  // torchvision's, which decodes at full size.
  decodedShortSide: ({ shortSide }, imageSize) => 2 * resizeTarget(shortSide, imageSize),
  aim(geometry, { shortSide }) {
    const { width, height } = geometry.region
    return { ...geometry, resized: resizedSize(width, height, resizeTarget(shortSide, geometry.imageSize)) }
  },
})

/** Returns the short side in pixels. @param shortSide ratio of the short side to the image size */
export function resizeTarget(shortSide: number, imageSize: number): number {
  return Math.round(imageSize * shortSide)
}

/** Computes the size in which the short side is `target`; the long side keeps the ratio, truncated to an integer (torchvision's _compute_resized_output_size). */
export function resizedSize(width: number, height: number, target: number): { width: number; height: number } {
  return width <= height ? { width: target, height: Math.trunc((target * height) / width) } : { width: Math.trunc((target * width) / height), height: target }
}
