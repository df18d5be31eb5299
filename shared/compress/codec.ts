import { ProtocolError } from '../kit/errors.ts'
import { compressKernel } from './kernel.ts'
import { bytesOf, copyFloats } from '../kit/floats.ts'
import { encodedBytes, type Compression, type Format } from './format.ts'
import type { NoiseKey } from './noise.ts'
import { plainDecode, plainEncode, plainRound } from './plain.ts'

/** Rounds, encodes and decodes the vectors that a run sends. */
export interface Codec {
  readonly compression: Compression
  /**
   * Rounds values in place to numbers that are encoded without loss.
   * @param first index of the first value in its vector, a multiple of 64
   * @param key key of the random bits; undefined to round to the nearest
   */
  round(values: Float32Array, first: number, key: NoiseKey | undefined): void
  /** Encodes values, little-endian. @param values rounded by `round` @returns without compression, a view of the values */
  encode(values: Float32Array): Buffer
  /** Returns how many floats a number of bytes encodes. @param what name of the bytes, for the error @throws ProtocolError if no vector has that many bytes */
  floatsIn(bytes: number, what?: string): number
  /** Decodes received bytes. @param out as many floats as `floatsIn` returns */
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
 * Rounds the gradient sum over a node of the lane tree, or a part of that sum, in place.
 * @param first index of the first value in the whole sum, a multiple of 64
 * @param step number of steps of the run before this one
 * @param node index of the node in the lane tree
 */
export type RoundSum = (values: Float32Array, first: number, step: number, node: number) => void

/**
 * Returns the rounding that makes a compressed run's result independent of its cluster: the sum over each node of the lane tree is rounded
 * with the same noise, whichever process adds it. Workers then send sums without loss, and all processes have the same sums.
 */
export function sumRounding(compression: Compression, seed: number): RoundSum {
  const codec = codecFor(compression)
  return (values, first, step, node) => codec.round(values, first, { seed, step, node })
}

/** Rounds weights to the nearest: workers compute with the rounded weights, the process that steps them keeps them in float32. @returns a copy */
export function roundedWeights(codec: Codec, weights: Float32Array): Float32Array {
  const rounded = weights.slice()
  codec.round(rounded, 0, undefined)
  return rounded
}

/** Returns how many floats a number of bytes encodes: the inverse of `encodedBytes`. */
function encodedFloats(compression: Format, bytes: number, what = 'a vector'): number {
  // An int8 block of 65 bytes has one of scale and 64 elements; only the last block can be shorter.
  const floats = compression === 'int8' ? bytes - Math.ceil(bytes / 65) : bytes / 2
  if (!Number.isInteger(floats) || encodedBytes(compression, floats) !== bytes) throw new ProtocolError(`${what} of ${bytes} bytes has no whole ${compression} values`)
  return floats
}
