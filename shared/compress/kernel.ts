import { BLOCK_FLOATS, encodedBytes, type Format } from './format.ts'
import { NOISE_FLOATS, type NoiseKey } from './noise.ts'
import { Purpose } from '../random/philox.ts'
import { loadKernel } from '../kernels/kernel.ts'

type Round = (count: number, values: number, noise: number, group: number, node: number, step: number, seed: number, purpose: number, keyed: number) => void
type Recode = (count: number, from: number, to: number) => void

interface CompressFunctions {
  roundBf16: Round
  roundInt8: Round
  encodeBf16: Recode
  decodeBf16: Recode
  encodeInt8(count: number, values: number, scales: number, out: number): void
  decodeInt8(count: number, scales: number, data: number, out: number): void
}

/** The compression kernel. Its functions have the parameters of those in shared/compress/plain.ts, and compute the same bits. */
export interface CompressKernel {
  round(compression: Format, values: Float32Array, first: number, key: NoiseKey | undefined): void
  encode(compression: Format, values: Float32Array, out: Uint8Array): void
  decode(compression: Format, data: Uint8Array, out: Float32Array): void
}

/** Floats that are copied to the kernel at a time: whole blocks, few enough to stay in a core's own cache. */
const PART_FLOATS = 16_384
/** Bytes at the beginning of the kernel's memory for the random bits of 32 elements, 16 for each. */
const NOISE_BYTES = 64

/** Loads the compression kernel. @returns undefined if it cannot be loaded: see `loadKernel` */
export function compressKernel(): CompressKernel | undefined {
  const scaleBytes = PART_FLOATS / BLOCK_FLOATS
  const kernel = loadKernel<CompressFunctions>('compress', NOISE_BYTES + 4 * PART_FLOATS + scaleBytes + 2 * PART_FLOATS)
  if (kernel === undefined) return undefined
  const { functions, memory } = kernel
  const floats = new Float32Array(memory.buffer, NOISE_BYTES, PART_FLOATS)
  const scales = new Uint8Array(memory.buffer, floats.byteOffset + floats.byteLength, scaleBytes)
  const codes = new Uint8Array(memory.buffer, scales.byteOffset + scaleBytes, 2 * PART_FLOATS)
  const rounders = { bf16: functions.roundBf16, int8: functions.roundInt8 }

  /** Copies a part into the kernel's memory, with zeros behind it up to whole blocks. @returns number of floats, zeros included */
  const place = (part: Float32Array): number => {
    floats.set(part)
    const whole = Math.ceil(part.length / BLOCK_FLOATS) * BLOCK_FLOATS
    floats.fill(0, part.length, whole)
    return whole
  }

  return {
    round: (compression, values, first, key) => {
      const { node, step, seed } = key ?? { node: 0, step: 0, seed: 0 }
      for (let begin = 0; begin < values.length; begin += PART_FLOATS) {
        const part = values.subarray(begin, begin + PART_FLOATS)
        const group = (first + begin) / NOISE_FLOATS
        rounders[compression](place(part), floats.byteOffset, 0, group, node, step, seed, Purpose.rounding, key === undefined ? 0 : 1)
        part.set(floats.subarray(0, part.length))
      }
    },
    encode: (compression, values, out) => {
      const blocks = Math.ceil(values.length / BLOCK_FLOATS)
      for (let begin = 0; begin < values.length; begin += PART_FLOATS) {
        const part = values.subarray(begin, begin + PART_FLOATS)
        const count = place(part)
        if (compression === 'int8') {
          functions.encodeInt8(count, floats.byteOffset, scales.byteOffset, codes.byteOffset)
          out.set(scales.subarray(0, count / BLOCK_FLOATS), begin / BLOCK_FLOATS)
          out.set(codes.subarray(0, part.length), blocks + begin)
        } else {
          functions.encodeBf16(count, floats.byteOffset, codes.byteOffset)
          out.set(codes.subarray(0, 2 * part.length), 2 * begin)
        }
      }
    },
    decode: (compression, data, out) => {
      const blocks = encodedBytes(compression, out.length) - out.length
      for (let begin = 0; begin < out.length; begin += PART_FLOATS) {
        const part = out.subarray(begin, begin + PART_FLOATS)
        const count = Math.ceil(part.length / BLOCK_FLOATS) * BLOCK_FLOATS
        if (compression === 'int8') {
          const firstBlock = begin / BLOCK_FLOATS
          scales.set(data.subarray(firstBlock, firstBlock + count / BLOCK_FLOATS))
          codes.set(data.subarray(blocks + begin, blocks + begin + part.length))
          functions.decodeInt8(count, scales.byteOffset, codes.byteOffset, floats.byteOffset)
        } else {
          codes.set(data.subarray(2 * begin, 2 * (begin + part.length)))
          functions.decodeBf16(count, codes.byteOffset, floats.byteOffset)
        }
        part.set(floats.subarray(0, part.length))
      }
    },
  }
}
