import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { messageOf, UsageError } from '../kit/errors.ts'

/** Values of the options --tls-cert, --tls-key and --tls-ca of a daemon: names of PEM files. */
export interface TlsOptions {
  tlsCert: string | undefined
  tlsKey: string | undefined
  tlsCa: string | undefined
}

/** Contents of the TLS files, PEM. */
export interface TlsFiles {
  /** Certificate and private key by which this side proves its identity; undefined: it has none. */
  identity: { cert: Buffer; key: Buffer } | undefined
  /** Certificates of the authorities that may vouch for the other side. */
  ca: Buffer | undefined
}

/**
 * Reads and checks the TLS files, so that a mistake shows at the start and not when the first worker connects.
 * @param now current time, to check the certificates' validity
 * @returns undefined if no file is given: no TLS
 * @throws UsageError that names the option and the file
 */
export async function readTls({ tlsCert, tlsKey, tlsCa }: TlsOptions, now: Date): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined
  if (tlsCert !== undefined && tlsKey === undefined) throw new UsageError(`--tls-cert ${tlsCert} needs --tls-key with the private key of that certificate.`)
  if (tlsKey !== undefined && tlsCert === undefined) throw new UsageError(`--tls-key ${tlsKey} needs --tls-cert with the certificate of that key.`)
  const ca = tlsCa === undefined ? undefined : await read('--tls-ca', tlsCa)
  if (tlsCa !== undefined) certificatesOf('--tls-ca', tlsCa, ca).forEach((certificate) => requireValid('--tls-ca', tlsCa, certificate, now))
  if (tlsCert === undefined || tlsKey === undefined) return { identity: undefined, ca }
  const cert = await read('--tls-cert', tlsCert)
  const key = await read('--tls-key', tlsKey)
  const [certificate] = certificatesOf('--tls-cert', tlsCert, cert)
  requireValid('--tls-cert', tlsCert, certificate, now)
  if (!certificate.checkPrivateKey(privateKeyOf(tlsKey, key))) throw new UsageError(`--tls-key ${tlsKey} is not the key of --tls-cert ${tlsCert}.`)
  return { identity: { cert, key }, ca }
}

async function read(option: string, file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw new UsageError(`${option} ${file} cannot be read: ${messageOf(error)}`)
  })
}

/** Returns when the certificate by which this side proves its identity ends, and when the first of the authorities does; each if there is one. */
export function certificateEnds({ identity, ca }: TlsFiles): { own?: Date; authority?: Date } {
  const first = (pem: Buffer, count?: number): Date => new Date(Math.min(...blocksOf(pem).slice(0, count).map((block) => Date.parse(new X509Certificate(block).validTo))))
  return { ...(identity !== undefined && { own: first(identity.cert, 1) }), ...(ca !== undefined && { authority: first(ca) }) }
}

function blocksOf(pem: Buffer): string[] {
  return pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? []
}

function certificatesOf(option: string, file: string, pem: Buffer | undefined): X509Certificate[] {
  const blocks = pem === undefined ? [] : blocksOf(pem)
  if (blocks.length === 0) throw new UsageError(`${option} ${file}: expected a certificate in PEM, "-----BEGIN CERTIFICATE-----".`)
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch (error) {
    throw new UsageError(`${option} ${file} is no certificate: ${messageOf(error)}`)
  }
}

/** Parses a private key. The library's message is left out of the error, since it could quote the file, which is secret. */
function privateKeyOf(file: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new UsageError(`--tls-key ${file}: expected a private key in PEM, without a passphrase.`)
  }
}

function requireValid(option: string, file: string, certificate: X509Certificate, now: Date): void {
  const { validFrom, validTo } = certificate
  if (now < new Date(validFrom)) throw new UsageError(`${option} ${file} is not valid before ${validFrom}: is this machine's clock right?`)
  if (now > new Date(validTo)) throw new UsageError(`${option} ${file} has been invalid since ${validTo}: make a new one, e.g. with \`herd certs\`.`)
}
