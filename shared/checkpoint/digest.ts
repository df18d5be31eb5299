import { bytesOf } from '../kit/floats.ts'
import { sha256Of } from '../kit/sha256.ts'

/**
 * Hashes a parameter vector: two runs have trained the same network, bit for bit, if their digests are equal.
 * @returns sha256 in hexadecimal, over the parameters as little-endian float32 in the layout's order
 */
export function parameterDigest(parameters: Float32Array): string {
  return sha256Of(bytesOf(parameters))
}
