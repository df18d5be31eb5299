import { z } from 'zod'
import { roundToEven } from '../../kit/rounding.ts'
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

/** Returns where a centred crop begins: half of the margin, in pixels, rounded as torchvision rounds it. */
export function cropStart(size: number, crop: number): number {
  return roundToEven((size - crop) / 2)
}
