import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import type { TlsOptions } from './tls.ts'

/** Time before the end of a certificate from which a user is warned. */
const SOON_DAYS = 30
const DAY_MS = 86_400_000

/**
 * Looks at the files with secrets and certificates, which must have proved usable before.
 * @param now current time, to tell how long certificates are still valid
 * @returns warnings for the user: others can read a secret, the key of the authority lies about, or nobody can join from a certificate's end on
 */
export async function cautionsOf({ tokenFile, tlsKey, tlsCert, tlsCa, sign }: TlsOptions & { tokenFile: string | undefined; sign?: string | undefined }, now: Date): Promise<string[]> {
  const look = async (option: string, file: string | undefined, of: (given: string, file: string) => Promise<string | undefined>): Promise<string | undefined> => (file === undefined ? undefined : of(`${option} ${file}`, file))
  const ends = (given: string, file: string): Promise<string | undefined> => nearEnd(given, file, now)
  const cautions = await Promise.all([
    look('--token-file', tokenFile, openSecret), look('--tls-key', tlsKey, openSecret), look('--sign', sign, openSecret), look('--tls-cert', tlsCert, ends), look('--tls-ca', tlsCa, ends), look('--tls-ca', tlsCa, authorityKey),
  ])
  return cautions.filter((caution) => caution !== undefined)
}

/** Looks at a folder of caches, whose files are believed. @returns a warning if another user could write into it; undefined otherwise, or if there is none yet */
export async function cacheCaution(folder: string): Promise<string | undefined> {
  const found = await stat(folder).catch(() => undefined)
  if (found === undefined || process.getuid === undefined) return undefined
  const isOpen = (found.mode & 0o022) !== 0
  if (!isOpen && found.uid === process.getuid()) return undefined
  return `the cache folder ${folder} ${isOpen ? 'can be written by' : 'belongs to'} other users of this machine: what they put there would be taken for decoded images. HERD_CACHE names another folder.`
}

async function openSecret(given: string, file: string): Promise<string | undefined> {
  // Windows has other permissions than these bits tell.
  if (process.platform === 'win32' || ((await stat(file)).mode & 0o044) === 0) return undefined
  return `${given} can be read by other users of this machine: chmod 600 keeps them out.`
}

/** Looks for the key of an authority, which no running program needs, where `herd certs` has put it. */
async function authorityKey(given: string, file: string): Promise<string | undefined> {
  const key = path.join(path.dirname(file), 'ca.key')
  const isThere = await stat(key).then(() => true, () => false)
  return isThere ? `${given}: the authority's key is on this machine (${key}): whoever gets it can make certificates. Move it elsewhere, or delete it.` : undefined
}

async function nearEnd(given: string, file: string, now: Date): Promise<string | undefined> {
  const { validTo } = new X509Certificate(await readFile(file))
  const days = Math.floor((new Date(validTo).getTime() - now.getTime()) / DAY_MS)
  return days > SOON_DAYS ? undefined : `${given} is valid for ${days} more days, until ${validTo}: from then on nobody can join, nor join again. Make a new one in time, e.g. with \`herd certs\`.`
}
