import { z } from 'zod'
import { exponentialOf, logarithmOf } from '../../kit/exponential.ts'
import { roundToEven } from '../../kit/rounding.ts'
import type { KeyedRandom } from '../../random/philox.ts'

/** Boxes of random shape and place: what torchvision's RandomResizedCrop and RandomErasing have in common. */

/** Shapes that are tried, of which the first one that fits is taken. */
const TRIES = 10

type Range = readonly [least: number, most: number]

/** Schema of a range: the smaller number first. */
export function rangeSchema(number: z.ZodNumber): z.ZodType<[number, number], [number, number]> {
  return z.tuple([number, number]).refine(([least, most]) => least <= most, 'expected the smaller number first')
}

/** Shape of a box: its share of the area that it lies in, and the ratio of its sides. */
interface Shape {
  share: number
  ratio: number
}

/** What is drawn of a box before it is known what it lies in. */
export interface RandomBox {
  shapes: readonly Shape[]
  /** Where the box lies, as shares of the room that it leaves, from 0 up to 1. */
  x: number
  y: number
}

/** Draws a box: shares are uniform in `scale`, and so are the logarithms of the ratios. */
export function drawBox({ scale, ratio }: { scale: Range; ratio: Range }, random: KeyedRandom): RandomBox {
  const [x, y] = [random.uniform(), random.uniform()]
  const [least, most] = ratio.map(logarithmOf)
  return { x, y, shapes: Array.from({ length: TRIES }, () => ({ share: random.between(...scale), ratio: powerOfE(random.between(least, most)) })) }
}

function powerOfE(x: number): number {
  return x <= 0 ? exponentialOf(x) : 1 / exponentialOf(-x)
}

/** Returns the sides of a shape in whole pixels, of which the first divided by the second is its ratio. @param area in pixels, of what it lies in */
export function sidesOf({ share, ratio }: Shape, area: number): [number, number] {
  return [roundToEven(Math.sqrt(area * share * ratio)), roundToEven(Math.sqrt((area * share) / ratio))]
}

/** Returns where a box begins along an axis, in whole pixels. @param at share of the room that it leaves */
export function beginOf(at: number, size: number, side: number): number {
  return Math.floor(at * (size - side + 1))
}
