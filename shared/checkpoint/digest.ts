import { createHash } from 'node:crypto'
import { bytesOf } from '../kit/floats.ts'

/** Two runs agree when this agrees: sha256, in hexadecimal, over the parameters as little-endian float32 in the layout's order. */
export function parameterDigest(parameters: Float32Array): string {
  return createHash('sha256').update(bytesOf(parameters)).digest('hex')
}
