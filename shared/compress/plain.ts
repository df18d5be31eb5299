import { BLOCK_FLOATS, type Format } from './format.ts'
import { NOISE_FLOATS, noise, type NoiseKey } from './noise.ts'

/**
 * The formats in plain TypeScript: the reference for the kernel of shared/compress/kernel.ts, and its replacement where it cannot be loaded.
 *
 * Rounding is stochastic: a value between two numbers of the format becomes one of them, the nearer one with the higher probability, so that
 * a sum of many values keeps its mean (Gupta et al., "Deep Learning with Limited Numerical Precision", ICML 2015, section 3). There are 16
 * random bits for each value, so whatever of it is finer than they can resolve is cut off.
 */

const EXPONENT = 0x7f800000
const MAGNITUDE = 0x7fffffff
const QUIET_NAN = 0x7fc00000
/** Biased exponent of int8's finest scale, 2^-110: a gradient whose values are all smaller is as good as zero. */
const LEAST_SCALE = 127 - 110
/** Biased exponent of int8's coarsest scale, 2^121: with a coarser one, a value that is rounded up could become infinite. */
const MOST_SCALE = 127 + 121
/** Biased exponent that stands for a block of NaN: as a float32, such a scale is infinite. */
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
 * Rounds values in place to numbers of the format.
 * @param first index of the first value in its vector, a multiple of 64
 * @param key key of the random bits; undefined to round to the nearest
 */
export function plainRound(compression: Format, values: Float32Array, first: number, key: NoiseKey | undefined): void {
  const round = rounders[compression]
  const random = new Uint16Array(BLOCK_FLOATS)
  for (let begin = 0; begin < values.length; begin += BLOCK_FLOATS) {
    for (let i = 0; i < BLOCK_FLOATS; i += NOISE_FLOATS) noise(key, first + begin + i, random.subarray(i, i + NOISE_FLOATS))
    round(values.subarray(begin, begin + BLOCK_FLOATS), random)
  }
}

/** Encodes rounded values, little-endian. @param values rounded by `plainRound` @param out exactly `encodedBytes` long */
export function plainEncode(compression: Format, values: Float32Array, out: Uint8Array): void {
  if (compression === 'int8') return encodeInt8(values, out)
  for (let i = 0; i < values.length; i++) {
    const code = bitsOf(values[i]) >>> 16
    out[2 * i] = code & 0xff
    out[2 * i + 1] = code >>> 8
  }
}

/** Decodes what `plainEncode` has encoded. */
export function plainDecode(compression: Format, data: Uint8Array, out: Float32Array): void {
  if (compression === 'int8') return decodeInt8(data, out)
  for (let i = 0; i < out.length; i++) out[i] = floatOf((data[2 * i] | (data[2 * i + 1] << 8)) << 16)
}

function roundBf16(values: Float32Array, random: Uint16Array): void {
  for (let i = 0; i < values.length; i++) {
    const pattern = bitsOf(values[i])
    const magnitude = pattern & MAGNITUDE
    // The lower half of an infinity is zero, so that nothing carries into the upper half.
    values[i] = floatOf(magnitude > EXPONENT ? QUIET_NAN : (pattern + (magnitude === EXPONENT ? 0 : random[i])) & 0xffff0000)
  }
}

/** Returns the biased float32 exponent of a block's scale: the least one with which no integer exceeds 127, or `NAN_SCALE` if there is none. */
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

/** Encodes rounded values: first the scale of each block, then the integers, one byte each. */
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
    // A block of NaN has zeros and an infinite scale, whose product is NaN.
    out[i] = integer * floatOf(data[Math.floor(i / BLOCK_FLOATS)] << 23)
  }
}
