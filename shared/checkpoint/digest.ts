import { webcrypto } from 'node:crypto'
import { bytesOf } from '../kit/floats.ts'
import { sha256Of } from '../kit/sha256.ts'

/**
 * Hashes a parameter vector: two runs have trained the same network, bit for bit, if their digests are equal.
 * @returns sha256 in hexadecimal, over the parameters as little-endian float32 in the layout's order
 */
export function parameterDigest(parameters: Float32Array): string {
  return sha256Of(bytesOf(parameters))
}

/**
 * Hashes a parameter vector on another thread.
 * @param parameters copied before the first await: they may change afterwards
 * @returns as `parameterDigest`
 */
export async function parameterDigestAside(parameters: Float32Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytesOf(parameters))).toString('hex')
}
