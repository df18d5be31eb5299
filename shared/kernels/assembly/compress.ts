/**
 * Rounding, encoding and decoding of the formats of shared/compress/plain.ts, four elements at a time and with the same bits. Vectors are
 * aligned and padded with zeros to whole blocks of 64 floats; `count` is a multiple of 64.
 */

const EXPONENT: i32 = 0x7f800000
const MAGNITUDE: i32 = 0x7fffffff
const QUIET_NAN: i32 = 0x7fc00000
const LEAST_SCALE: i32 = 17
const MOST_SCALE: i32 = 248
const NAN_SCALE: i32 = 255
const HALF: i32 = 0x8000

const BLOCK: i32 = 64
const GROUP_BYTES: usize = 128

/**
 * Rounds float32 values in place to those that bf16 holds.
 * @param noise address of 64 bytes for random bits
 * @param group number of the vector's first group of 32 elements
 * @param keyed true: rounds stochastically, with random bits of the key (seed, purpose, step, node, group); false: to the nearest
 */
export function roundBf16(count: i32, values: usize, noise: usize, group: i32, node: i32, step: i32, seed: i32, purpose: i32, keyed: bool): void {
  if (!keyed) fillHalf(noise)
  for (const end = values + (<usize>count << 2); values < end; values += GROUP_BYTES) {
    if (keyed) drawNoise(noise, group++, node, step, seed, purpose)
    for (let quad = 0; quad < 8; quad++) {
      const at = values + (quad << 4)
      const pattern = v128.load(at)
      const magnitude = v128.and(pattern, i32x4.splat(MAGNITUDE))
      const isSpecial = i32x4.ge_s(magnitude, i32x4.splat(EXPONENT))
      const rounded = v128.and(i32x4.add(pattern, v128.andnot(noiseOf(noise, quad), isSpecial)), i32x4.splat(0xffff0000))
      v128.store(at, v128.bitselect(i32x4.splat(QUIET_NAN), rounded, i32x4.gt_s(magnitude, i32x4.splat(EXPONENT))))
    }
  }
}

/** Rounds float32 values in place to those that int8 holds. Parameters are as in `roundBf16`. */
export function roundInt8(count: i32, values: usize, noise: usize, group: i32, node: i32, step: i32, seed: i32, purpose: i32, keyed: bool): void {
  if (!keyed) fillHalf(noise)
  for (const end = values + (<usize>count << 2); values < end; values += 2 * GROUP_BYTES) {
    const scale = scaleOf(values)
    const unit = f32x4.splat(reinterpret<f32>(scale << 23))
    // `perUnit` is 65536 / scale, a power of two that float32 can hold, since no scale is finer than 2 ^ -110.
    const perUnit = f32x4.splat(reinterpret<f32>((2 * 127 + 16 - scale) << 23))
    for (let half = 0; half < 2; half++) {
      if (keyed) drawNoise(noise, group++, node, step, seed, purpose)
      for (let quad = 0; quad < 8; quad++) {
        const at = values + (half << 7) + (quad << 4)
        const fixed = i32x4.trunc_sat_f32x4_s(f32x4.mul(v128.load(at), perUnit))
        const integers = i32x4.shr_s(i32x4.add(fixed, noiseOf(noise, quad)), 16)
        v128.store(at, scale === NAN_SCALE ? i32x4.splat(QUIET_NAN) : f32x4.mul(f32x4.convert_i32x4_s(integers), unit))
      }
    }
  }
}

/** Encodes rounded float32 values as bf16, two bytes each. */
export function encodeBf16(count: i32, values: usize, out: usize): void {
  for (const end = values + (<usize>count << 2); values < end; values += 32, out += 16) {
    // The shuffle takes the upper halves of eight floats.
    v128.store(out, i8x16.shuffle(v128.load(values), v128.load(values + 16), 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31))
  }
}

/** Decodes bf16 at `data` to float32 at `out`. */
export function decodeBf16(count: i32, data: usize, out: usize): void {
  for (const end = out + (<usize>count << 2); out < end; out += 32, data += 16) {
    const codes = v128.load(data)
    v128.store(out, i32x4.shl(i32x4.extend_low_i16x8_u(codes), 16))
    v128.store(out + 16, i32x4.shl(i32x4.extend_high_i16x8_u(codes), 16))
  }
}

/**
 * Encodes rounded float32 values as int8.
 * @param scales address of one byte for each block of 64: the exponent of its scale
 * @param out address of one signed byte for each value
 */
export function encodeInt8(count: i32, values: usize, scales: usize, out: usize): void {
  for (const end = values + (<usize>count << 2); values < end; scales++) {
    const scale = scaleOf(values)
    store<u8>(scales, scale)
    const perUnit = f32x4.splat(scale === NAN_SCALE ? 0 : reinterpret<f32>((2 * 127 - scale) << 23))
    for (let quad = 0; quad < 4; quad++, values += 64, out += 16) {
      const first = i16x8.narrow_i32x4_s(integersOf(values, perUnit), integersOf(values + 16, perUnit))
      const second = i16x8.narrow_i32x4_s(integersOf(values + 32, perUnit), integersOf(values + 48, perUnit))
      v128.store(out, i8x16.narrow_i16x8_s(first, second))
    }
  }
}

/** Decodes int8, as `encodeInt8` leaves it, to float32 at `out`. */
export function decodeInt8(count: i32, scales: usize, data: usize, out: usize): void {
  for (const end = out + (<usize>count << 2); out < end; scales++) {
    const unit = f32x4.splat(reinterpret<f32>(<i32>load<u8>(scales) << 23))
    for (let quad = 0; quad < 16; quad++, data += 4, out += 16) {
      const integers = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(data)))
      v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(integers), unit))
    }
  }
}

@inline
function integersOf(values: usize, perUnit: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.mul(v128.load(values), perUnit))
}

/**
 * Biased float32 exponent of a block's scale: the smallest, from LEAST_SCALE on, with which no integer exceeds 127. NAN_SCALE if a value is not
 * finite, or too large.
 * @param values address of the block's 64 floats
 */
@inline
function scaleOf(values: usize): i32 {
  let largest = i32x4.splat(0)
  for (let at = values; at < values + (BLOCK << 2); at += 16) largest = i32x4.max_u(largest, v128.and(v128.load(at), i32x4.splat(MAGNITUDE)))
  largest = i32x4.max_u(largest, i8x16.shuffle(largest, largest, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7))
  largest = i32x4.max_u(largest, i8x16.shuffle(largest, largest, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11))
  const most = i32x4.extract_lane(largest, 0)
  if (most >= EXPONENT) return NAN_SCALE
  const scale = max(LEAST_SCALE, (most >> 23) - 6)
  if (reinterpret<f32>(most) <= 127 * reinterpret<f32>(scale << 23)) return scale
  return scale < MOST_SCALE ? scale + 1 : NAN_SCALE
}

/** Random bits of the four elements of a quad, 16 for each. */
@inline
function noiseOf(noise: usize, quad: i32): v128 {
  const words = v128.load(noise + ((quad >> 1) << 4))
  return (quad & 1) === 0 ? v128.and(words, i32x4.splat(0xffff)) : i32x4.shr_u(words, 16)
}

function fillHalf(noise: usize): void {
  for (let word = 0; word < 4; word++) v128.store(noise + (word << 4), i32x4.splat(HALF | (HALF << 16)))
}

/** Draws four blocks of Philox4x32-10 (shared/random/philox.ts) side by side: 64 bytes, for the 32 elements of a group. */
function drawNoise(noise: usize, group: i32, node: i32, step: i32, seed: i32, purpose: i32): void {
  let c0 = i32x4.add(i32x4.splat(group << 2), i32x4(0, 1, 2, 3))
  let c1 = i32x4.splat(node)
  let c2 = i32x4.splat(step)
  let c3 = i32x4.splat(0)
  const multiplier0 = i32x4.splat(0xd2511f53)
  const multiplier1 = i32x4.splat(0xcd9e8d57)
  let k0 = i32x4.splat(seed)
  let k1 = i32x4.splat(purpose)
  for (let round = 0; round < 10; round++) {
    const even0 = i64x2.extmul_low_i32x4_u(c0, multiplier0)
    const odd0 = i64x2.extmul_high_i32x4_u(c0, multiplier0)
    const even1 = i64x2.extmul_low_i32x4_u(c2, multiplier1)
    const odd1 = i64x2.extmul_high_i32x4_u(c2, multiplier1)
    c0 = v128.xor(v128.xor(upperHalves(even1, odd1), c1), k0)
    c2 = v128.xor(v128.xor(upperHalves(even0, odd0), c3), k1)
    c1 = lowerHalves(even1, odd1)
    c3 = lowerHalves(even0, odd0)
    k0 = i32x4.add(k0, i32x4.splat(0x9e3779b9))
    k1 = i32x4.add(k1, i32x4.splat(0xbb67ae85))
  }
  v128.store(noise, c0)
  v128.store(noise, c1, 16)
  v128.store(noise, c2, 32)
  v128.store(noise, c3, 48)
}

@inline
function lowerHalves(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
}

@inline
function upperHalves(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
}
