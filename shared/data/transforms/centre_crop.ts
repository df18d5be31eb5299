import { z } from 'zod'
import { fixedTransform } from './transform.ts'

/** The transform centreCrop: torchvision's CenterCrop to the network's image size. */
export const centreCrop = fixedTransform({
  schema: z.strictObject({ name: z.literal('centreCrop') }),
  takes: ['resized'],
  gives: 'window',
  aim: (geometry) => ({
    ...geometry,
    left: geometry.left + cropStart(geometry.resized.width, geometry.imageSize),
    top: geometry.top + cropStart(geometry.resized.height, geometry.imageSize),
  }),
})

/** Returns where a centred crop begins: half of the margin, in pixels, rounded as by Python's round(), which takes a half to the even neighbour. */
export function cropStart(size: number, crop: number): number {
  const margin = size - crop
  const half = Math.floor(margin / 2)
  return margin % 2 === 0 || half % 2 === 0 ? half : half + 1
}
