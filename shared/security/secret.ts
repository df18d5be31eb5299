import { randomBytes } from 'node:crypto'

/** A text that nobody can guess, 32 hexadecimal digits. */
export function newSecret(): string {
  return randomBytes(16).toString('hex')
}
