import { z } from 'zod'
import { fixedTransform } from './transform.ts'

/** Ratio of the short side to the network's image size: 300 pixels for 256. */
const SHORT_SIDE = 300 / 256
/** Keeps a photograph's memory, and the time that it takes, in bounds. */
const MAX_SHORT_SIDE = 8

/** torchvision's Resize on PIL images: the short side becomes `shortSide` times the network's image size, bilinear with antialiasing. */
export const resize = fixedTransform({
  schema: z.strictObject({ name: z.literal('resize'), shortSide: z.number().min(1).max(MAX_SHORT_SIDE).default(SHORT_SIDE) }),
  takes: ['photograph', 'turned'],
  gives: 'resized',
  // Twice the target, so that the antialiased resize still decides the result; only there do pixels differ from torchvision's, which decodes at full size.
  decodedShortSide: ({ shortSide }, imageSize) => 2 * resizeTarget(shortSide, imageSize),
  aim(geometry, { shortSide }) {
    const { width, height } = geometry.region
    return { ...geometry, resized: resizedSize(width, height, resizeTarget(shortSide, geometry.imageSize)) }
  },
})

/** Short side in pixels. */
export function resizeTarget(shortSide: number, imageSize: number): number {
  return Math.round(imageSize * shortSide)
}

/** The short side becomes `target`, the long one follows, cut to an integer (torchvision's _compute_resized_output_size). */
export function resizedSize(width: number, height: number, target: number): { width: number; height: number } {
  return width <= height ? { width: target, height: Math.trunc((target * height) / width) } : { width: Math.trunc((target * width) / height), height: target }
}
