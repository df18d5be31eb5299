import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import pMap from 'p-map'
import { DataError, messageOf } from '../../kit/errors.ts'
import { decodeImage } from '../transforms/decode.ts'
import { FileCache, type FileFacts } from '../caches/file_cache.ts'
import { type Candidate, type Scan } from './scan.ts'
import { decodeTarget, defaultTransforms } from '../transforms/transforms.ts'

/** A photograph beyond this is a mistake; it bounds what a worker keeps in memory for one image. */
export const MAX_FILE_BYTES = 2 ** 28

export interface InspectOptions {
  /** Where what was found out is kept for the next time. */
  cacheFolder: string
  onProgress?: ((done: number, total: number) => void) | undefined
}

/** Images are decoded at the size that the article's 256 pixels need, as training does; the size has no say in whether it succeeds. */
const CHECK_SHORT_SIDE = decodeTarget(defaultTransforms(), 256)

/** sharp decodes on libuv's threads: this many at once keep them busy. */
function threads(): number {
  const wanted = Number(process.env.UV_THREADPOOL_SIZE)
  return Number.isInteger(wanted) && wanted >= 1 ? Math.min(wanted, 1024) : 4
}

/**
 * Hashes the files of a scan and, where `decode` asks for it, finds out by decoding which of them are readable.
 * @returns one entry for each candidate, in their order; with `decode` each has a `problem`, null or not.
 * @throws DataError for a file that cannot be read at all (permissions, a link to nowhere, more than 256 MiB): without its
 *   bytes there is no digest to compare with other machines.
 */
export async function inspectFiles(scan: Scan, decode: boolean, { cacheFolder, onProgress }: InspectOptions): Promise<FileFacts[]> {
  const cache = await FileCache.open(cacheFolder, scan.root, new Set(scan.candidates.map(({ path }) => path)))
  let done = 0
  const inspect = async (candidate: Candidate): Promise<FileFacts> => {
    const facts = await inspectFile(candidate, decode, cache)
    onProgress?.(++done, scan.candidates.length)
    return facts
  }
  try {
    const facts = await pMap(scan.candidates, inspect, { concurrency: threads() })
    // libvips keeps the last error of all its threads in one place: what is wrong with a file it tells for sure only alone.
    for (const [index, candidate] of scan.candidates.entries()) {
      if (decode && facts[index].problem !== null) facts[index] = await inspectFile(candidate, decode, cache, true)
    }
    return facts
  } finally {
    await cache.save()
  }
}

/** @param alone no other image is being decoded: what is said of its problem holds, and is kept */
async function inspectFile({ path, file }: Candidate, decode: boolean, cache: FileCache, alone = false): Promise<FileFacts> {
  const { size, modified } = await sizeAndTime(file)
  const known = cache.find(path, size, modified)
  if (known !== undefined && (known.problem !== undefined || !decode)) return known

  const bytes = await readFile(file).catch((error: unknown) => unreadable(file, error))
  const facts: FileFacts = { bytes: bytes.length, modified, sha256: createHash('sha256').update(bytes).digest('hex') }
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
