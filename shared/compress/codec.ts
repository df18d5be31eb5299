import { ProtocolError } from '../errors.ts'
import { compressKernel } from '../kernels/compress.ts'
import { bytesOf, floatsOf } from '../wire/floats.ts'
import { encodedBytes, type Compression } from './format.ts'
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
  /**
   * @param data without compression it may be kept, and overwritten
   * @throws ProtocolError when its length is that of no vector.
   */
  decode(data: Buffer): Float32Array
}

const kernel = compressKernel() ?? { round: plainRound, encode: plainEncode, decode: plainDecode }

const asItIs: Codec = {
  compression: 'none',
  round: () => undefined,
  encode: bytesOf,
  decode: (data) => {
    if (data.length % 4 !== 0) throw new ProtocolError(`${data.length} bytes are no vector of float32`)
    return floatsOf(data)
  },
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
    decode: (data) => {
      const floats = new Float32Array(Buffer.allocUnsafeSlow(4 * encodedFloats(compression, data.length)).buffer)
      kernel.decode(compression, data, floats)
      return floats
    },
  }
}

/** How many floats so many bytes are. */
function encodedFloats(compression: Exclude<Compression, 'none'>, bytes: number): number {
  // Of int8, 64 in 65 bytes are elements.
  const floats = compression === 'int8' ? bytes - Math.ceil(bytes / 65) : bytes / 2
  if (!Number.isInteger(floats) || encodedBytes(compression, floats) !== bytes) throw new ProtocolError(`${bytes} bytes are no vector in ${compression}`)
  return floats
}
