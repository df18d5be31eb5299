import { ProtocolError } from '../kit/errors.ts'
import { compressKernel } from './kernel.ts'
import { bytesOf, copyFloats } from '../kit/floats.ts'
import { encodedBytes, type Compression, type Format } from './format.ts'
import type { NoiseKey } from './noise.ts'
import { plainDecode, plainEncode, plainRound } from './plain.ts'

/** How vectors of a run travel. */
export interface Codec {
  readonly compression: Compression
  /**
   * Rounds values in place to those that travel without loss.
   * @param first place of the first one in its vector, a multiple of 64
   * @param key undefined: to the nearest
   */
  round(values: Float32Array, first: number, key: NoiseKey | undefined): void
  /** @param values as `round` leaves them @returns little-endian; without compression a view of them */
  encode(values: Float32Array): Buffer
  /** How many floats so many bytes are. @param what they are, for people @throws ProtocolError when no vector is as long. */
  floatsIn(bytes: number, what?: string): number
  /** @param out as long as `floatsIn` says */
  decodeInto(data: Buffer, out: Float32Array): void
}

const kernel = compressKernel() ?? { round: plainRound, encode: plainEncode, decode: plainDecode }

const asItIs: Codec = {
  compression: 'none',
  round: () => undefined,
  encode: bytesOf,
  floatsIn: (bytes, what = 'a vector') => {
    if (bytes % 4 !== 0) throw new ProtocolError(`${what} of ${bytes} bytes has no whole float32 values`)
    return bytes / 4
  },
  decodeInto: copyFloats,
}

export function codecFor(compression: Compression): Codec {
  if (compression === 'none') return asItIs
  return {
    compression,
    round: (values, first, key) => kernel.round(compression, values, first, key),
    encode: (values) => {
      const out = Buffer.allocUnsafeSlow(encodedBytes(compression, values.length))
      kernel.encode(compression, values, out)
      return out
    },
    floatsIn: (bytes, what) => encodedFloats(compression, bytes, what),
    decodeInto: (data, out) => kernel.decode(compression, data, out),
  }
}

/**
 * Rounds the gradient sum over a node of the lane tree, or a part of it.
 * @param first place of the first value in the vector, a multiple of 64
 * @param step of the run that came before
 */
export type RoundSum = (values: Float32Array, first: number, step: number, node: number) => void

/**
 * What keeps a compressed run's result free of its cluster: the sum over every node of the lane tree is rounded, wherever it is
 * added, and with the same noise. So whatever a worker sends, it sends without loss, and all have the same sums.
 */
export function sumRounding(compression: Compression, seed: number): RoundSum {
  const codec = codecFor(compression)
  return (values, first, step, node) => codec.round(values, first, { seed, step, node })
}

/** Weights, rounded to the nearest: workers compute with these, while who steps them keeps what float32 has. @returns a copy */
export function roundedWeights(codec: Codec, weights: Float32Array): Float32Array {
  const rounded = weights.slice()
  codec.round(rounded, 0, undefined)
  return rounded
}

/** How many floats so many bytes are. */
function encodedFloats(compression: Format, bytes: number, what = 'a vector'): number {
  // Of int8, 64 in 65 bytes are elements.
  const floats = compression === 'int8' ? bytes - Math.ceil(bytes / 65) : bytes / 2
  if (!Number.isInteger(floats) || encodedBytes(compression, floats) !== bytes) throw new ProtocolError(`${what} of ${bytes} bytes has no whole ${compression} values`)
  return floats
}
