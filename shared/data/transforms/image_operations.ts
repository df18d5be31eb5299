import { Affine, type Matrix } from './affine.ts'
import { blend } from './colour_jitter.ts'
import type { Window } from './transform.ts'

/** Operations on the window's pixels, in place, with the bits of Pillow's ImageFilter, ImageOps and Image.transform. */

/** Replaces the window by what an affine map of it gives: nearest neighbour, black outside. @param mapOf makes the map of a copy of the window */
export function remap({ pixels, size }: Window, mapOf: (image: { data: Uint8Array; width: number; height: number }) => Affine): void {
  const map = mapOf({ data: pixels.slice(), width: size, height: size })
  for (let y = 0; y < size; y++) map.gatherRow(y, 0, size, pixels.subarray(y * size * 3, (y + 1) * size * 3))
}

/** Does the same for a matrix. */
export function transformBy(window: Window, matrix: Matrix): void {
  remap(window, (image) => new Affine(image, matrix))
}

/** Weight of a pixel itself in Pillow's ImageFilter.SMOOTH, where its eight neighbours have 1. */
const CENTRE = 5
const SUM = CENTRE + 8
/** The smoothed value by the weighted sum. Pillow divides in float32; no sum comes near to where its rounding would matter, since 13 is odd. */
const SMOOTHED = Uint8Array.from({ length: SUM * 255 + 1 }, (_, sum) => Math.floor(sum / SUM + 0.5))

/** Moves pixels towards the smoothed window (factor below 1), or away from it (Pillow's ImageEnhance.Sharpness). Border pixels are not smoothed. @param factor a float32 */
export function changeSharpness({ pixels, size }: Window, factor: number): void {
  const source = pixels.slice()
  const row = size * 3
  const columns = new Uint16Array(row)
  for (let y = 1; y < size - 1; y++) {
    const begin = y * row
    for (let x = 0, i = begin; x < row; x++, i++) columns[x] = source[i - row] + source[i] + source[i + row]
    for (let x = 3, i = begin + 3; x < row - 3; x++, i++) {
      const sum = columns[x - 3] + columns[x] + columns[x + 3] + (CENTRE - 1) * source[i]
      pixels[i] = blend(SMOOTHED[sum], source[i], factor)
    }
  }
}

/** Keeps the upper bits of each value. @param bits from 0 to 8 */
export function posterize({ pixels }: Window, bits: number): void {
  const mask = ~(2 ** (8 - bits) - 1)
  for (let i = 0; i < pixels.length; i++) pixels[i] &= mask
}

/** Inverts values of at least a threshold. */
export function solarize({ pixels }: Window, threshold: number): void {
  for (let i = 0; i < pixels.length; i++) if (pixels[i] >= threshold) pixels[i] = 255 - pixels[i]
}

/** Stretches the values of each channel to all from 0 to 255. */
export function autoContrast(window: Window): void {
  replaceByChannel(window, (counts) => {
    const darkest = counts.findIndex((count) => count > 0)
    const brightest = counts.findLastIndex((count) => count > 0)
    if (brightest <= darkest) return undefined
    const scale = 255 / (brightest - darkest)
    const offset = -darkest * scale
    return (value) => Math.trunc(value * scale + offset)
  })
}

/** Makes the values of each channel about equally frequent. */
export function equalize(window: Window): void {
  replaceByChannel(window, (counts) => {
    const total = window.size * window.size
    const step = Math.floor((total - counts[counts.findLastIndex((count) => count > 0)]) / 255)
    if (step === 0) return undefined
    let sum = Math.floor(step / 2)
    return (value) => {
      const replacement = Math.floor(sum / step)
      sum += counts[value]
      return replacement
    }
  })
}

/**
 * Replaces each channel's values.
 * @param replacementFrom gets how often each value is there, and returns a function that is called for 0 to 255 in this order, or undefined to leave a channel as it is
 */
function replaceByChannel({ pixels }: Window, replacementFrom: (counts: Uint32Array) => ((value: number) => number) | undefined): void {
  for (let channel = 0; channel < 3; channel++) {
    const counts = new Uint32Array(256)
    for (let i = channel; i < pixels.length; i += 3) counts[pixels[i]]++
    const replacement = replacementFrom(counts)
    if (replacement === undefined) continue
    const of = Uint8ClampedArray.from(counts, (_, value) => replacement(value))
    for (let i = channel; i < pixels.length; i += 3) pixels[i] = of[pixels[i]]
  }
}
