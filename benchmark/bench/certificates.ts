import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeCertificates } from '../../cli/certs/certificates.ts'
import { readTls, type TlsFiles } from '../../shared/security/tls.ts'

const DAYS = 1

/** Writes the keys and certificates for mutual TLS in a cluster on this machine. @returns the folder */
export async function writeCertificates(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const { files } = await makeCertificates([], DAYS, new Date())
  await Promise.all([...files].map(([name, pem]) => writeFile(path.join(folder, name), pem)))
  return folder
}

/** Reads the TLS files of a coordinator or worker. @param folder as `writeCertificates` leaves it; undefined for no TLS */
export async function certificatesOf(folder: string | undefined, who: 'coordinator' | 'worker'): Promise<TlsFiles | undefined> {
  if (folder === undefined) return undefined
  const file = (name: string): string => path.join(folder, name)
  return readTls({ tlsCa: file('ca.crt'), tlsCert: file(`${who}.crt`), tlsKey: file(`${who}.key`) }, new Date())
}
