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

const rounders: Record<Format, RoundBlock> = { bf16: roundBf16, int8: roundInt8 }

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
  for (let i = 0; i < values.length; i++) {
    const code = bitsOf(values[i]) >>> 16
    out[2 * i] = code & 0xff
    out[2 * i + 1] = code >>> 8
  }
}

/** The inverse of `plainEncode`. */
export function plainDecode(compression: Format, data: Uint8Array, out: Float32Array): void {
  if (compression === 'int8') return decodeInt8(data, out)
  for (let i = 0; i < out.length; i++) out[i] = floatOf((data[2 * i] | (data[2 * i + 1] << 8)) << 16)
}

function roundBf16(values: Float32Array, random: Uint16Array): void {
  for (let i = 0; i < values.length; i++) {
    const pattern = bitsOf(values[i])
    const magnitude = pattern & MAGNITUDE
    // Infinity has no lower half, so that nothing carries over.
    values[i] = floatOf(magnitude > EXPONENT ? QUIET_NAN : (pattern + (magnitude === EXPONENT ? 0 : random[i])) & 0xffff0000)
  }
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
