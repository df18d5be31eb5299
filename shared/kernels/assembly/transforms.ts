/**
 * Vectorised image transforms of shared/data/transforms (rotation.ts, resample.ts), with the same integers to the bit.
 *
 * An axis is packed (`packAxis` in shared/data/transforms/window_kernel.ts): for each output position its first input position, then for each
 * pair of taps the upper and the lower 11 bits of both weights, as two 16-bit halves of an i32. A pair then costs two 16-bit dot products, which
 * are cheaper than 32-bit multiplications, and exact: sum = (upper << 11) + lower.
 *
 * Loops write whole vectors in ascending order: bytes written past the end of a pixel or row are overwritten by the next one, so every buffer
 * needs 16 spare bytes behind it.
 */

const LOWER_BITS: i32 = 11
const PRECISION_BITS: i32 = 22
const HALF: i32 = 1 << (PRECISION_BITS - 1)
const BLOCK: i32 = 16

/**
 * Resamples each row of an image along its columns.
 * @param source address of uint8 RGB: the first pixel that the axis reads in the first row; rows are `sourceStride` bytes apart
 * @param pairs number of pairs of taps for each output position
 * @param target address of uint8 RGB, `rows` rows of `length` pixels
 */
export function narrow(source: usize, sourceStride: i32, rows: i32, axis: usize, pairs: i32, length: i32, target: usize): void {
  for (let y = 0; y < rows; y++) {
    resampleRow(source, axis, pairs, length, target)
    source += sourceStride
    target += length * 3
  }
}

/**
 * Does the same as `narrow` for rows of the flipped and rotated image (shared/data/transforms/rotation.ts), each of which is gathered into `row`
 * first.
 * @param image address of the whole image, uint8 RGB
 * @param x0 horizontal source position of the first gathered pixel, in 16.16 fixed point; `y0` is the vertical one
 * @param columns number of pixels gathered of each row
 */
export function narrowRotated(
  image: usize, width: i32, height: i32, flip: bool, x0: i32, y0: i32, cosine: i32, sine: i32, minusSine: i32,
  columns: i32, rows: i32, row: usize, axis: usize, pairs: i32, length: i32, target: usize,
): void {
  for (let y = 0; y < rows; y++) {
    gatherRow(image, width, height, flip, x0, y0, cosine, minusSine, columns, row)
    resampleRow(row, axis, pairs, length, target)
    x0 += sine
    y0 += cosine
    target += length * 3
  }
}

/**
 * Resamples an image along its rows.
 * @param source address of uint8, rows of `stride` bytes
 * @param target address of uint8, `length` rows of `stride` bytes
 */
export function shorten(source: usize, stride: i32, axis: usize, pairs: i32, length: i32, target: usize): void {
  const axisStride: usize = 4 + 8 * <usize>pairs
  for (let y = 0; y < length; y++) {
    const row = source + load<i32>(axis) * stride
    for (let x = 0; x < stride; x += BLOCK) resampleBlock(row + x, stride, axis + 4, pairs, target + x)
    axis += axisStride
    target += stride
  }
}

@inline
function gatherRow(image: usize, width: i32, height: i32, flip: bool, x: i32, y: i32, cosine: i32, minusSine: i32, count: i32, row: usize): void {
  const stride = width * 3
  const first = image + <usize>(flip ? stride - 3 : 0)
  const step = flip ? -3 : 3
  for (const end = row + count * 3; row < end; row += 3) {
    const column = x >> 16
    const line = y >> 16
    // Comparison as unsigned rejects negative positions too, since they become huge.
    const inside = (<u32>column < <u32>width) & (<u32>line < <u32>height)
    store<u32>(row, inside ? load<u32>(first + line * stride + column * step) : 0)
    x += cosine
    y += minusSine
  }
}

@inline
function resampleRow(source: usize, axis: usize, pairs: i32, length: i32, target: usize): void {
  for (const end = target + length * 3; target < end; target += 3) {
    let pixel = source + load<i32>(axis) * 3
    axis += 4
    let upper = i32x4.splat(0)
    let lower = i32x4.splat(HALF)
    for (const weights = axis + 8 * <usize>pairs; axis < weights; axis += 8, pixel += 6) {
      // The shuffle reorders two pixels, R0 G0 B0 R1 G1 B1, to R0 R1 G0 G1 B0 B1.
      const two = v128.load64_zero(pixel)
      const pair = i16x8.extend_low_i8x16_u(i8x16.shuffle(two, two, 0, 3, 1, 4, 2, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0))
      upper = i32x4.add(upper, i32x4.dot_i16x8_s(pair, v128.load32_splat(axis)))
      lower = i32x4.add(lower, i32x4.dot_i16x8_s(pair, v128.load32_splat(axis + 4)))
    }
    const sum = i32x4.shr_s(i32x4.add(i32x4.shl(upper, LOWER_BITS), lower), PRECISION_BITS)
    const words = i16x8.narrow_i32x4_s(sum, sum)
    v128.store_lane<u32>(target, i8x16.narrow_i16x8_u(words, words), 0)
  }
}

@inline
function resampleBlock(source: usize, stride: i32, weights: usize, pairs: i32, target: usize): void {
  let sum0 = i32x4.splat(HALF)
  let sum1 = sum0
  let sum2 = sum0
  let sum3 = sum0
  for (const end = weights + 8 * <usize>pairs; weights < end; weights += 8, source += 2 * stride) {
    const upper = v128.load32_splat(weights)
    const lower = v128.load32_splat(weights + 4)
    const above = v128.load(source)
    const below = v128.load(source + stride)
    const left = i8x16.shuffle(above, below, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
    const right = i8x16.shuffle(above, below, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
    sum0 = addPair(sum0, i16x8.extend_low_i8x16_u(left), upper, lower)
    sum1 = addPair(sum1, i16x8.extend_high_i8x16_u(left), upper, lower)
    sum2 = addPair(sum2, i16x8.extend_low_i8x16_u(right), upper, lower)
    sum3 = addPair(sum3, i16x8.extend_high_i8x16_u(right), upper, lower)
  }
  const low = i16x8.narrow_i32x4_s(i32x4.shr_s(sum0, PRECISION_BITS), i32x4.shr_s(sum1, PRECISION_BITS))
  const high = i16x8.narrow_i32x4_s(i32x4.shr_s(sum2, PRECISION_BITS), i32x4.shr_s(sum3, PRECISION_BITS))
  v128.store(target, i8x16.narrow_i16x8_u(low, high))
}

@inline
function addPair(sum: v128, pair: v128, upper: v128, lower: v128): v128 {
  return i32x4.add(sum, i32x4.add(i32x4.shl(i32x4.dot_i16x8_s(pair, upper), LOWER_BITS), i32x4.dot_i16x8_s(pair, lower)))
}
