import { z } from 'zod'
import { roundToEven } from '../../kit/rounding.ts'
import { beginOf, drawBox, rangeSchema, sidesOf, type RandomBox } from './random_box.ts'
import { randomTransform } from './transform.ts'

/** Smallest share of a photograph, which limits the memory that a decoded one takes. */
const LEAST_SHARE = 0.01

interface Crop {
  box: RandomBox
  ratio: readonly [least: number, most: number]
}

/**
 * The transform randomResizedCrop: torchvision's RandomResizedCrop on PIL images. A random part of the photograph, of a random share of its area and
 * a random ratio of width to height, is resized to the window, bilinear with antialiasing.
 */
export const randomResizedCrop = randomTransform({
  schema: z.strictObject({
    name: z.literal('randomResizedCrop'),
    scale: rangeSchema(z.number().min(LEAST_SHARE).max(1)).default([0.08, 1]),
    ratio: rangeSchema(z.number().min(0.1).max(10)).default([3 / 4, 4 / 3]),
  }),
  takes: ['photograph', 'turned'],
  gives: 'window',
  draws: { stream: 3, draw: ({ scale, ratio }, random): Crop => ({ box: drawBox({ scale, ratio }, random), ratio }) },
  // The whole photograph is still reduced by half, so that the antialiased resize decides the result, and the smallest square part of it is not enlarged.
  decodedShortSide: ({ scale: [least] }, imageSize) => Math.ceil(imageSize * Math.max(2, 1 / Math.sqrt(least))),
  aim(geometry, { box, ratio }: Crop) {
    const { imageSize, region } = geometry
    const part = partOf(region.width, region.height, box, ratio)
    return { ...geometry, region: { ...part, left: region.left + part.left, top: region.top + part.top }, resized: { width: imageSize, height: imageSize }, left: 0, top: 0 }
  },
})

/** Returns the part of a photograph that is taken: the first shape that fits, or else the largest central part whose ratio is allowed (torchvision's get_params). */
export function partOf(width: number, height: number, box: RandomBox, [least, most]: readonly [least: number, most: number]): { left: number; top: number; width: number; height: number } {
  for (const shape of box.shapes) {
    const [w, h] = sidesOf(shape, width * height)
    if (w > 0 && w <= width && h > 0 && h <= height) return { left: beginOf(box.x, width, w), top: beginOf(box.y, height, h), width: w, height: h }
  }
  const ratio = width / height
  const w = ratio > most ? Math.max(1, roundToEven(height * most)) : width
  const h = ratio < least ? Math.max(1, roundToEven(width / least)) : height
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h }
}
