import { z } from 'zod'
import { randomTransform, type Window } from './transform.ts'

/** Largest padding in pixels. */
const MAX_PADDING = 256

interface Shift {
  /** Position in the window of the upper left pixel that is taken, from -padding to padding. */
  left: number
  top: number
  isReflected: boolean
}

/**
 * The transform randomCrop: torchvision's RandomCrop with padding, as small images are moved about. The window gets `padding` pixels at each side, reflected
 * at its borders or black, and a random part of the window's size is taken.
 */
export const randomCrop = randomTransform({
  schema: z.strictObject({ name: z.literal('randomCrop'), padding: z.number().int().min(0).max(MAX_PADDING).default(4), mode: z.enum(['reflect', 'zero']).default('reflect') }),
  takes: ['window'],
  gives: 'window',
  draws: {
    stream: 6,
    draw: ({ padding, mode }, random): Shift => ({ left: random.below(2 * padding + 1) - padding, top: random.below(2 * padding + 1) - padding, isReflected: mode === 'reflect' }),
  },
  paint({ pixels, size }: Window, { left, top, isReflected }: Shift) {
    if (left === 0 && top === 0) return
    const source = pixels.slice()
    if (!isReflected) pixels.fill(0)
    // Columns of the result that lie inside the window are copied at once, those in the padding one by one.
    const begin = Math.min(size, Math.max(0, -left))
    const end = Math.max(begin, Math.min(size, size - left))
    for (let y = 0; y < size; y++) {
      const row = isReflected ? reflected(top + y, size) : top + y
      if (row < 0 || row >= size) continue
      pixels.set(source.subarray((row * size + left + begin) * 3, (row * size + left + end) * 3), (y * size + begin) * 3)
      if (!isReflected) continue
      for (let x = 0; x < begin; x++) copyPixel(source, row * size + reflected(left + x, size), pixels, y * size + x)
      for (let x = end; x < size; x++) copyPixel(source, row * size + reflected(left + x, size), pixels, y * size + x)
    }
  },
})

function copyPixel(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  target[to * 3] = source[from * 3]
  target[to * 3 + 1] = source[from * 3 + 1]
  target[to * 3 + 2] = source[from * 3 + 2]
}

/** Returns the position of [0, size) that a mirror at both borders shows at `at`; the border itself is not repeated. Beyond a whole size it is reflected again. */
function reflected(at: number, size: number): number {
  if (size === 1) return 0
  const period = 2 * (size - 1)
  const within = Math.abs(at) % period
  return within < size ? within : period - within
}
