import { BLOCK_FLOATS, type Format } from './format.ts'
import { NOISE_FLOATS, noise, type NoiseKey } from './noise.ts'

/**
 * The formats in plain TypeScript: what the kernel of shared/compress/kernel.ts is held to, and what computes where it cannot be had.
 *
 * Rounding is stochastic: a value between two that the format holds goes to either, the nearer the likelier, so that a sum of many keeps
 * its mean (Gupta et al., "Deep Learning with Limited Numerical Precision", ICML 2015, section 3). To its 16 random bits a value is cut off.
 */

const EXPONENT = 0x7f800000
const MAGNITUDE = 0x7fffffff
/** 2 ^ -14, from which on fp16 has all its digits, and 2 ^ 16, which it lacks. */
const FP16_NORMAL = 0x38800000
const FP16_OVERFLOW = 0x47800000
const FP16_INFINITY = 0x7c00
const FP16_NAN = 0x7e00
/** Between the exponents of float32 and fp16, where a fp16's mantissa begins. */
const FP16_BIAS = 0x1c000
const QUIET_NAN = 0x7fc00000
/** int8's finest scale is 2 ^ -110: a gradient that is smaller throughout is as good as zero. */
const LEAST_SCALE = 127 - 110
/** With a coarser one than 2 ^ 121, what is rounded up could be infinite. */
const MOST_SCALE = 127 + 121
const NAN_SCALE = 255

const bits = new Uint32Array(1)
const float = new Float32Array(bits.buffer)

function bitsOf(value: number): number {
  float[0] = value
  return bits[0]
}

function floatOf(pattern: number): number {
  bits[0] = pattern
  return float[0]
}

type RoundBlock = (values: Float32Array, random: Uint16Array) => void

const rounders: Record<Format, RoundBlock> = { bf16: each(roundBf16), fp16: each(roundFp16), int8: roundInt8 }

/**
 * Rounds values in place to those that the format holds.
 * @param first place of the first one in its vector, a multiple of 64
 * @param key undefined: to the nearest
 */
export function plainRound(compression: Format, values: Float32Array, first: number, key: NoiseKey | undefined): void {
  const round = rounders[compression]
  const random = new Uint16Array(BLOCK_FLOATS)
  for (let begin = 0; begin < values.length; begin += BLOCK_FLOATS) {
    for (let i = 0; i < BLOCK_FLOATS; i += NOISE_FLOATS) noise(key, first + begin + i, random.subarray(i, i + NOISE_FLOATS))
    round(values.subarray(begin, begin + BLOCK_FLOATS), random)
  }
}

/** @param values as `plainRound` leaves them @param out as many bytes as `encodedBytes` says */
export function plainEncode(compression: Format, values: Float32Array, out: Uint8Array): void {
  if (compression === 'int8') return encodeInt8(values, out)
  const encode = compression === 'bf16' ? (value: number): number => bitsOf(value) >>> 16 : encodeFp16
  for (let i = 0; i < values.length; i++) {
    const code = encode(values[i])
    out[2 * i] = code & 0xff
    out[2 * i + 1] = code >>> 8
  }
}

/** The inverse of `plainEncode`. */
export function plainDecode(compression: Format, data: Uint8Array, out: Float32Array): void {
  if (compression === 'int8') return decodeInt8(data, out)
  const decode = compression === 'bf16' ? (code: number): number => floatOf(code << 16) : decodeFp16
  for (let i = 0; i < out.length; i++) out[i] = decode(data[2 * i] | (data[2 * i + 1] << 8))
}

function each(round: (value: number, random: number) => number): RoundBlock {
  return (values, random) => {
    for (let i = 0; i < values.length; i++) values[i] = round(values[i], random[i])
  }
}

function roundBf16(value: number, random: number): number {
  const pattern = bitsOf(value)
  if ((pattern & MAGNITUDE) > EXPONENT) return floatOf(QUIET_NAN)
  // Infinity has no lower half, so that nothing carries over.
  return floatOf((pattern + ((pattern & MAGNITUDE) === EXPONENT ? 0 : random)) & 0xffff0000)
}

function roundFp16(value: number, random: number): number {
  const magnitude = bitsOf(value) & MAGNITUDE
  if (magnitude > EXPONENT) return floatOf(QUIET_NAN)
  let rounded: number
  if (magnitude < FP16_NORMAL) {
    // A multiple of 2 ^ -24.
    const units = Math.trunc(Math.abs(value) * 2 ** 40)
    rounded = ((units + random) >> 16) * 2 ** -24
  } else {
    const pattern = (magnitude + (random >> 3)) & ~0x1fff
    rounded = magnitude === EXPONENT || pattern >= FP16_OVERFLOW ? Number.POSITIVE_INFINITY : floatOf(pattern)
  }
  return bitsOf(value) >>> 31 === 1 ? -rounded : rounded
}

function encodeFp16(value: number): number {
  const pattern = bitsOf(value)
  const magnitude = pattern & MAGNITUDE
  const sign = (pattern >>> 31) << 15
  if (magnitude > EXPONENT) return sign | FP16_NAN
  if (magnitude === EXPONENT) return sign | FP16_INFINITY
  return sign | (magnitude < FP16_NORMAL ? Math.abs(value) * 2 ** 24 : (magnitude >>> 13) - FP16_BIAS)
}

function decodeFp16(code: number): number {
  const digits = code & 0x7fff
  const sign = (code >>> 15) << 31
  if (digits > FP16_INFINITY) return floatOf(QUIET_NAN)
  if (digits === FP16_INFINITY) return floatOf(sign | EXPONENT)
  if (digits >= 0x400) return floatOf(sign | ((digits + FP16_BIAS) << 13))
  const small = digits * 2 ** -24
  return sign === 0 ? small : -small
}

/** Exponent of a block's scale, as float32 has it: the least with which no integer is beyond 127. */
function scaleOf(values: Float32Array): number {
  let largest = 0
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, bitsOf(values[i]) & MAGNITUDE)
  if (largest >= EXPONENT) return NAN_SCALE
  const scale = Math.max(LEAST_SCALE, (largest >>> 23) - 6)
  if (floatOf(largest) <= 127 * floatOf(scale << 23)) return scale
  return scale < MOST_SCALE ? scale + 1 : NAN_SCALE
}

function roundInt8(values: Float32Array, random: Uint16Array): void {
  const scale = scaleOf(values)
  if (scale === NAN_SCALE) {
    values.fill(Number.NaN)
    return
  }
  const unit = 2 ** (scale - 127)
  for (let i = 0; i < values.length; i++) values[i] = ((Math.trunc(values[i] / (unit / 65536)) + random[i]) >> 16) * unit
}

/** First the scale of each block, then the integers. */
function encodeInt8(values: Float32Array, out: Uint8Array): void {
  const blocks = Math.ceil(values.length / BLOCK_FLOATS)
  for (let block = 0; block < blocks; block++) {
    const begin = block * BLOCK_FLOATS
    const part = values.subarray(begin, begin + BLOCK_FLOATS)
    const scale = scaleOf(part)
    out[block] = scale
    for (let i = 0; i < part.length; i++) out[blocks + begin + i] = scale === NAN_SCALE ? 0 : part[i] / 2 ** (scale - 127)
  }
}

function decodeInt8(data: Uint8Array, out: Float32Array): void {
  const blocks = Math.ceil(out.length / BLOCK_FLOATS)
  for (let i = 0; i < out.length; i++) {
    const integer = (data[blocks + i] << 24) >> 24
    // As the scale of a block that is not finite is infinite, zero times it is NaN.
    out[i] = integer * floatOf(data[Math.floor(i / BLOCK_FLOATS)] << 23)
  }
}
