import type { X509Certificate } from 'node:crypto'
import { isPrintable } from '../kit/fields.ts'

/** Names in the certificates of `herd certs` that several have in common: they say what a certificate is for, and not whose it is. */
export const COMMON_NAMES = { coordinator: 'herd coordinator', worker: 'herd worker' } as const
const MAX_NAME = 200

/** True if a text can be the name of an identity: printable, and with no blanks around it. */
export function isIdentityName(name: string): boolean {
  return name.length > 0 && name.length <= MAX_NAME && isPrintable(name) && name.trim() === name
}

/**
 * Returns whom a certificate names: its common name (CN), if that is one of its own.
 * @returns undefined if it has none, or one that the certificates of `herd certs` have in common
 */
export function nameInCertificate(certificate: X509Certificate): string | undefined {
  const { CN: name } = certificate.toLegacyObject().subject as { CN?: unknown }
  const common: readonly string[] = Object.values(COMMON_NAMES)
  return typeof name === 'string' && isIdentityName(name) && !common.includes(name) ? name : undefined
}
