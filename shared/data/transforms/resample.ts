/**
 * Pillow's bilinear resampling with antialiasing (src/libImaging/Resample.c): a triangle filter, stretched by the factor
 * of reduction, as fixed-point weights. Everything after the weights is integer arithmetic, so it is the same on any machine.
 */

/** Fractional bits of a weight: with the 8 bits of a pixel, 2 of a signed 32-bit sum are left to spare. */
export const PRECISION_BITS = 22
export const HALF = 1 << (PRECISION_BITS - 1)

/** Weights with which each position of a window of the output is summed from the input, along one axis. */
export interface AxisWeights {
  /** Length of the window in output positions. */
  length: number
  /** Number of weights of each position. It is the same for all; a position that needs fewer has zeros for the others. */
  taps: number
  /** First input position of each output position, relative to `first`; start + taps never exceeds `span`. */
  starts: Int32Array
  /** [length, taps], each weight times 2^22. */
  weights: Int32Array
  /** Part of the input that the window needs: `span` positions from `first` on. */
  first: number
  span: number
}

/**
 * Computes the weights for resizing an axis from `input` to `output` positions, for the output positions [from, from + length) only.
 * It follows Pillow's precompute_coeffs and normalize_coeffs_8bpc step by step, float64 included.
 */
function computeWeights(input: number, output: number, from: number, length: number): AxisWeights {
  const scale = input / output
  const filterScale = Math.max(scale, 1)
  const support = filterScale
  const starts = new Int32Array(length)
  const rows: number[][] = []
  let taps = 1
  for (let i = 0; i < length; i++) {
    const centre = (from + i + 0.5) * scale
    const start = Math.max(Math.trunc(centre - support + 0.5), 0)
    const end = Math.min(Math.trunc(centre + support + 0.5), input)
    const row: number[] = []
    let sum = 0
    for (let x = start; x < end; x++) {
      const weight = triangle((x - centre + 0.5) * (1 / filterScale))
      row.push(weight)
      sum += weight
    }
    starts[i] = start
    rows.push(row.map((weight) => Math.trunc(0.5 + (weight / sum) * (1 << PRECISION_BITS))))
    taps = Math.max(taps, row.length)
  }

  const weights = new Int32Array(length * taps)
  const first = starts[0]
  const end = Math.max(starts[length - 1] + rows[length - 1].length, first + Math.min(taps, input))
  for (let i = 0; i < length; i++) {
    // A position at the far border has fewer weights: they begin earlier, with zeros, so that no read passes the end.
    const shifted = Math.max(Math.min(starts[i], end - taps), first)
    weights.set(rows[i], i * taps + (starts[i] - shifted))
    starts[i] = shifted - first
  }
  return { length, taps, starts, weights, first, span: end - first }
}

function triangle(x: number): number {
  const distance = Math.abs(x)
  return distance < 1 ? 1 - distance : 0
}

/**
 * Limit of the cached axes' weights; what is derived of them, mirrored and as the kernel reads it, takes up to three times as much again. Random
 * crops have as many sizes as an image has columns: at 224 pixels, those of photographs with up to 1,000 columns take 5 MB.
 */
const CACHE_BYTES = 16 * 2 ** 20
const cache = new Map<string, AxisWeights>()
let cachedBytes = 0

/**
 * Returns the weights for resizing a part of an image's axis from `input` to `output` positions, for the output positions
 * [from, from + length) only. They are cached for the next image of the same size.
 * @param begin position in the image at which that part begins
 */
export function axisWeights(input: number, output: number, from: number, length: number, begin = 0): AxisWeights {
  const key = `${input} ${output} ${from} ${length}`
  let found = cache.get(key)
  if (found === undefined) {
    found = computeWeights(input, output, from, length)
    cache.set(key, found)
    cachedBytes += found.weights.byteLength
    for (const [oldest, { weights }] of cache) {
      if (cachedBytes <= CACHE_BYTES) break
      cache.delete(oldest)
      cachedBytes -= weights.byteLength
    }
  }
  return begin === 0 ? found : { ...found, first: found.first + begin }
}

/** Mirrored starts and weights by the weights that they mirror, which are shared by axes that differ only in where they begin. */
const mirrors = new WeakMap<Int32Array, Pick<AxisWeights, 'starts' | 'weights'>>()

/**
 * Turns an axis of the flipped image into one of the image itself, which sums the same products.
 * @param size number of the image's positions
 */
export function mirroredAxis(axis: AxisWeights, size: number): AxisWeights {
  const { taps, span, first } = axis
  let mirror = mirrors.get(axis.weights)
  if (mirror === undefined) {
    mirror = { starts: axis.starts.map((start) => span - start - taps), weights: axis.weights.map((_, at, weights) => weights[at + taps - 1 - 2 * (at % taps)]) }
    mirrors.set(axis.weights, mirror)
  }
  return { ...axis, ...mirror, first: size - first - span }
}

/**
 * Resamples one row of pixels along its columns.
 * @param source uint8 RGB; the pixel of `axis.first` begins at `at`.
 * @param target uint8 RGB, `axis.length` pixels written from `to`.
 */
export function resampleRow(source: Uint8Array, at: number, axis: AxisWeights, target: Uint8Array, to: number): void {
  const { length, taps, starts, weights } = axis
  if (taps === 2) {
    // The usual case is enlarging: photographs of 300 x 225 become 400 x 300.
    for (let i = 0, w = 0; i < length; i++, w += 2, to += 3) {
      const p = at + starts[i] * 3
      const w0 = weights[w]
      const w1 = weights[w + 1]
      target[to] = (HALF + Math.imul(source[p], w0) + Math.imul(source[p + 3], w1)) >> PRECISION_BITS
      target[to + 1] = (HALF + Math.imul(source[p + 1], w0) + Math.imul(source[p + 4], w1)) >> PRECISION_BITS
      target[to + 2] = (HALF + Math.imul(source[p + 2], w0) + Math.imul(source[p + 5], w1)) >> PRECISION_BITS
    }
    return
  }
  for (let i = 0, w = 0; i < length; i++, to += 3) {
    let p = at + starts[i] * 3
    let red = HALF
    let green = HALF
    let blue = HALF
    for (const end = w + taps; w < end; w++, p += 3) {
      const weight = weights[w]
      red += Math.imul(source[p], weight)
      green += Math.imul(source[p + 1], weight)
      blue += Math.imul(source[p + 2], weight)
    }
    target[to] = red >> PRECISION_BITS
    target[to + 1] = green >> PRECISION_BITS
    target[to + 2] = blue >> PRECISION_BITS
  }
}

/**
 * Computes one row of the output from the source rows above and below it.
 * @param source uint8 RGB rows of `stride` values each (three times the pixels), the first of them row `axis.first`.
 * @param i index of the output row in the window.
 * @param target `stride` values written from `to`.
 * @param sums scratch, int32, at least `stride` long.
 */
export function resampleColumn(source: Uint8Array, stride: number, axis: AxisWeights, i: number, target: Uint8Array, to: number, sums: Int32Array): void {
  const { taps, starts, weights } = axis
  let row = starts[i] * stride
  let w = i * taps
  if (taps === 2) {
    const w0 = weights[w]
    const w1 = weights[w + 1]
    for (let below = row + stride, end = to + stride; to < end; to += 3, row += 3, below += 3) {
      target[to] = (HALF + Math.imul(source[row], w0) + Math.imul(source[below], w1)) >> PRECISION_BITS
      target[to + 1] = (HALF + Math.imul(source[row + 1], w0) + Math.imul(source[below + 1], w1)) >> PRECISION_BITS
      target[to + 2] = (HALF + Math.imul(source[row + 2], w0) + Math.imul(source[below + 2], w1)) >> PRECISION_BITS
    }
    return
  }
  sums.fill(HALF, 0, stride)
  const end = w + taps
  for (; w + 1 < end; w += 2, row += 2 * stride) {
    // Two rows at a time halve the traffic of the sums.
    const w0 = weights[w]
    const w1 = weights[w + 1]
    for (let x = 0, below = row + stride; x < stride; x++) sums[x] += Math.imul(source[row + x], w0) + Math.imul(source[below + x], w1)
  }
  if (w < end) {
    const weight = weights[w]
    for (let x = 0; x < stride; x++) sums[x] += Math.imul(source[row + x], weight)
  }
  for (let x = 0; x < stride; x++) target[to + x] = sums[x] >> PRECISION_BITS
}
