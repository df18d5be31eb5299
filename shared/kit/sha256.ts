import { createHash } from 'node:crypto'

/** Computes the sha256 of bytes or of a text, in lowercase hexadecimal. */
export function sha256Of(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}
