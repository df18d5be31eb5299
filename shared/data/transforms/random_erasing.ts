import { z } from 'zod'
import { beginOf, drawBox, rangeSchema, sidesOf, type RandomBox } from './random_box.ts'
import { randomTransform, type Window } from './transform.ts'

const byte = z.number().int().min(0).max(255)
/** ImageNet's mean as bytes, which normalising makes about zero. */
const MEAN = [124, 116, 104] satisfies [number, number, number]

interface Erasure {
  box: RandomBox
  value: readonly number[]
}

/**
 * The transform randomErasing: torchvision's RandomErasing. With the given probability, a box of a random share of the window and a random ratio of
 * height to width is filled with one colour.
 */
export const randomErasing = randomTransform({
  schema: z.strictObject({
    name: z.literal('randomErasing'),
    probability: z.number().min(0).max(1).default(0.25),
    scale: rangeSchema(z.number().positive().max(1)).default([0.02, 0.33]),
    ratio: rangeSchema(z.number().min(0.1).max(10)).default([0.3, 3.3]),
    value: z.tuple([byte, byte, byte]).default(MEAN),
  }),
  takes: ['window'],
  gives: 'window',
  draws: {
    stream: 4,
    draw: ({ probability, value, ...shapes }, random): Erasure | undefined => (random.uniform() < probability ? { box: drawBox(shapes, random), value } : undefined),
  },
  paint({ pixels, size }: Window, erasure: Erasure | undefined) {
    if (erasure === undefined) return
    const { left, top, width, height } = boxIn(size, erasure.box)
    const row = Uint8Array.from({ length: width * 3 }, (_, i) => erasure.value[i % 3])
    for (let y = top; y < top + height; y++) pixels.set(row, (y * size + left) * 3)
  },
})

/** Returns the box in a window of that size: of the first shape that is smaller than the window, or an empty one if none is (torchvision's get_params). */
export function boxIn(size: number, { shapes, x, y }: RandomBox): { left: number; top: number; width: number; height: number } {
  for (const shape of shapes) {
    const [height, width] = sidesOf(shape, size * size)
    if (height < size && width < size) return { left: beginOf(x, size, width), top: beginOf(y, size, height), width, height }
  }
  return { left: 0, top: 0, width: 0, height: 0 }
}
