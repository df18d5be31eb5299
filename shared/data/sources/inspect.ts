import { readFile, stat } from 'node:fs/promises'
import pMap from 'p-map'
import { DataError, messageOf } from '../../kit/errors.ts'
import { sha256Of } from '../../kit/sha256.ts'
import { decodeImage } from '../transforms/decode.ts'
import { FileCache, type FileFacts } from '../caches/file_cache.ts'
import { type Candidate, type Scan } from './scan.ts'
import { decodeTarget, defaultTransforms } from '../transforms/transforms.ts'

/** Limit of an image file in bytes. A larger file is a mistake; the limit also bounds the memory that one image takes on a worker. */
export const MAX_FILE_BYTES = 2 ** 28

export interface InspectOptions {
  /** Folder that keeps what was found out about the files for the next time. */
  cacheFolder: string
  /** Receives one warning if the folder cannot be written. */
  warn: (message: string) => void
  onProgress?: ((done: number, total: number) => void) | undefined
  /** Ends the check early, which then throws the signal's reason; what was found out until then is kept. */
  signal?: AbortSignal | undefined
}

/** Time between two writings of what was found out, so that a process that is killed loses little of it. */
const KEEP_MS = 60_000

/** Short side at which the check decodes images: the one that training at the article's 256 pixels needs. Success does not depend on the size. */
const CHECK_SHORT_SIDE = decodeTarget(defaultTransforms(), 256)

/** Returns how many images to decode at once: as many as libuv has threads, on which sharp decodes. */
function threads(): number {
  const wanted = Number(process.env.UV_THREADPOOL_SIZE)
  return Number.isInteger(wanted) && wanted >= 1 ? Math.min(wanted, 1024) : 4
}

/**
 * Hashes the files of a scan and, if `decode` is true, finds out by decoding which of them are readable.
 * @returns one entry for each candidate, in their order; with `decode`, each has a `problem`, null or not.
 * @throws DataError if a file cannot be read at all (permissions, a link to nowhere, more than 256 MiB): without its
 *   bytes there is no digest to compare with other machines.
 */
export async function inspectFiles(scan: Scan, decode: boolean, { cacheFolder, warn, onProgress, signal }: InspectOptions): Promise<FileFacts[]> {
  const cache = await FileCache.open(cacheFolder, scan.root, new Set(scan.candidates.map(({ path }) => path)))
  let done = 0
  const inspect = async (candidate: Candidate): Promise<FileFacts> => {
    const facts = await inspectFile(candidate, decode, cache)
    onProgress?.(++done, scan.candidates.length)
    return facts
  }
  const keep = keeper(cache, warn)
  await keep()
  const keeping = setInterval(() => void keep(), KEEP_MS)
  try {
    const facts = await pMap(scan.candidates, inspect, { concurrency: threads(), ...(signal === undefined ? {} : { signal }) })
    // libvips keeps the last error of all its threads in one place, so its message is certain to belong to a file only if that is decoded alone.
    for (const [index, candidate] of scan.candidates.entries()) {
      if (decode && facts[index].problem !== null) facts[index] = await inspectFile(candidate, decode, cache, true)
    }
    return facts
  } finally {
    clearInterval(keeping)
    await keep()
  }
}

/** Makes a function that keeps what was found out. A folder that refuses is told of once: it costs the next start time, and this one nothing. */
function keeper(cache: FileCache, warn: (message: string) => void): () => Promise<void> {
  let told = false
  return async () => {
    try {
      await cache.save()
    } catch (error) {
      if (!told) warn(`what is found out about the images cannot be kept: ${messageOf(error)}. The next start checks them again; HERD_CACHE names another folder.`)
      told = true
    }
  }
}

/** Hashes and checks one file. @param alone true if no other image is being decoded: only then is the message about a problem reliable, and cached */
async function inspectFile({ path, file }: Candidate, decode: boolean, cache: FileCache, alone = false): Promise<FileFacts> {
  const { size, modified } = await sizeAndTime(file)
  const known = cache.find(path, size, modified)
  if (known !== undefined && (known.problem !== undefined || !decode)) return known

  const bytes = await readFile(file).catch((error: unknown) => unreadable(file, error))
  const facts: FileFacts = { bytes: bytes.length, modified, sha256: sha256Of(bytes) }
  if (decode) facts.problem = await problemOf(bytes, path)
  if (alone || !facts.problem) cache.add(path, facts)
  return facts
}

async function sizeAndTime(file: string): Promise<{ size: number; modified: number }> {
  const found = await stat(file).catch((error: unknown) => unreadable(file, error))
  if (!found.isFile()) throw new DataError(`image ${file} is not a regular file: remove it.`)
  if (found.size > MAX_FILE_BYTES) throw new DataError(`image ${file} has ${found.size} bytes, but an image may have at most ${MAX_FILE_BYTES}: move it away.`)
  return { size: found.size, modified: found.mtimeMs }
}

function unreadable(file: string, error: unknown): never {
  throw new DataError(`image ${file} cannot be read: ${messageOf(error)}. Make it readable, or move it away.`, { cause: error })
}

async function problemOf(bytes: Buffer, path: string): Promise<string | null> {
  try {
    await decodeImage(bytes, CHECK_SHORT_SIDE, path)
    return null
  } catch (error) {
    if (error instanceof DataError) return error.message
    throw error
  }
}
