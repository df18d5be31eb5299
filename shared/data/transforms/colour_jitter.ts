import { z } from 'zod'
import type { KeyedRandom } from '../../random/philox.ts'
import { randomTransform, type Window } from './transform.ts'

/** Largest distance of a factor from 1: 0.2 stands for factors in [0.8, 1.2). */
const strength = z.number().min(0).max(1)

/**
 * The transform colourJitter: torchvision's ColorJitter on PIL images, without hue, bit for bit. Brightness, contrast and saturation change by
 * random factors, in a random order.
 */
export const colourJitter = randomTransform({
  schema: z.strictObject({ name: z.literal('colourJitter'), brightness: strength.default(0.2), contrast: strength.default(0.2), saturation: strength.default(0.2) }),
  takes: ['window'],
  gives: 'window',
  draws: { stream: 1, draw: ({ brightness, contrast, saturation }, random) => inRandomOrder([[changeBrightness, brightness], [changeContrast, contrast], [changeSaturation, saturation]], random) },
  paint({ pixels }: Window, changes: readonly Change[]) {
    for (const { change, factor } of changes) change(pixels, Math.fround(factor))
  },
})

/** Changes uint8 RGB pixels in place. */
type Adjustment = (pixels: Uint8Array, factor: number) => void
interface Change {
  change: Adjustment
  factor: number
}

/** Draws a factor for each adjustment, then their order (Fisher and Yates). */
function inRandomOrder(adjustments: readonly [Adjustment, strength: number][], random: KeyedRandom): Change[] {
  const changes = adjustments.map(([change, most]) => ({ change, factor: random.between(1 - most, 1 + most) }))
  for (let last = changes.length - 1; last > 0; last--) {
    const other = random.below(last + 1)
    const moved = changes[last]
    changes[last] = changes[other]
    changes[other] = moved
  }
  return changes
}

/** Moves pixels towards black (factor below 1), or away from it. */
export function changeBrightness(pixels: Uint8Array, factor: number): void {
  replaceEach(pixels, (value) => blend(0, value, factor))
}

/** Moves pixels towards the image's mean grey (factor below 1), or away from it. */
export function changeContrast(pixels: Uint8Array, factor: number): void {
  let sum = 0
  for (let p = 0; p < pixels.length; p += 3) sum += greyAt(pixels, p)
  const mean = Math.floor(sum / (pixels.length / 3) + 0.5)
  replaceEach(pixels, (value) => blend(mean, value, factor))
}

/** Moves each pixel towards its own grey (factor below 1), or away from it. */
export function changeSaturation(pixels: Uint8Array, factor: number): void {
  for (let p = 0; p < pixels.length; p += 3) {
    const grey = greyAt(pixels, p)
    pixels[p] = blend(grey, pixels[p], factor)
    pixels[p + 1] = blend(grey, pixels[p + 1], factor)
    pixels[p + 2] = blend(grey, pixels[p + 2], factor)
  }
}

/** Pillow's luma in 16-bit fixed point (L24 in src/libImaging/Convert.c). */
function greyAt(pixels: Uint8Array, p: number): number {
  return (pixels[p] * 19595 + pixels[p + 1] * 38470 + pixels[p + 2] * 7471 + 0x8000) >> 16
}

/** Pillow's ImagingBlend of two bytes: computed in float32, then truncated to an integer from 0 to 255. @param factor a float32 */
export function blend(from: number, to: number, factor: number): number {
  const value = Math.fround(from + Math.fround(factor * (to - from)))
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value)
}

function replaceEach(pixels: Uint8Array, replacement: (value: number) => number): void {
  const of = Uint8Array.from({ length: 256 }, (_, value) => replacement(value))
  for (let i = 0; i < pixels.length; i++) pixels[i] = of[pixels[i]]
}
