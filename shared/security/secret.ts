import { randomBytes } from 'node:crypto'

/** Draws a random secret of 128 bits, as 32 hexadecimal digits. */
export function newSecret(): string {
  return randomBytes(16).toString('hex')
}
