import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import pMap from 'p-map'
import { DataError, messageOf } from '../../kit/errors.ts'
import { isLocalDisk } from '../../kit/local_disk.ts'
import { decodeImage } from '../transforms/decode.ts'
import { FileCache } from '../caches/file_cache.ts'
import { Known, type FileFacts, type FoundFacts } from '../caches/file_facts.ts'
import { fileOf, type Scan } from './scan.ts'
import { decodeTarget, defaultTransforms } from '../transforms/transforms.ts'

/** Limit of an image file in bytes. A larger file is a mistake; the limit also bounds the memory that one image takes on a worker. */
export const MAX_FILE_BYTES = 2 ** 28

export interface InspectOptions {
  /** Folder that keeps what was found out about the files for the next time. */
  cacheFolder: string
  /** Receives a warning if the folder cannot be written, or what it keeps cannot be used. */
  warn: (message: string) => void
  onProgress?: ((done: number, total: number) => void) | undefined
  /** Ends the check early, which then throws the signal's reason; what was found out until then is kept. */
  signal?: AbortSignal | undefined
}

/** Least time between two writings of what was found out, so that a process that is killed loses little of it; and as a multiple of the time that one takes. */
const KEEP_MS = 60_000
const KEEP_REST = 20
/** Files that are looked at in one go where a disk of this machine answers at once. */
const LOOKS_AT_ONCE = 512

/** Short side at which the check decodes images: the one that training at the article's 256 pixels needs. Success does not depend on the size. */
const CHECK_SHORT_SIDE = decodeTarget(defaultTransforms(), 256)

/** Returns how many images to decode at once: as many as libuv has threads, on which sharp decodes. */
function threads(): number {
  const wanted = Number(process.env.UV_THREADPOOL_SIZE)
  return Number.isInteger(wanted) && wanted >= 1 ? Math.min(wanted, 1024) : 4
}

/**
 * Hashes the files of a scan and, if `decode` is true, finds out by decoding which of them are readable.
 * @returns facts by the candidates' places; all are hashed and, with `decode`, readable or not.
 * @throws DataError if a file cannot be read at all (permissions, a link to nowhere, more than 256 MiB): without its
 *   bytes there is no digest to compare with other machines.
 */
export async function inspectFiles({ root, candidates }: Pick<Scan, 'root' | 'candidates'>, decode: boolean, { cacheFolder, warn, onProgress, signal }: InspectOptions): Promise<FileFacts> {
  const { paths, spelled } = candidates
  const cache = await FileCache.open(cacheFolder, root, paths, warn)
  const { facts } = cache
  const candidateAt = (place: number): Candidate => {
    const path = paths.at(place)
    return { path, file: fileOf(root, path, spelled) }
  }
  const isKnown = (place: number, { size, modified }: SizeAndTime): boolean => facts.knows(place, size, modified) && (!decode || facts.known[place] !== Known.hash)
  let done = 0
  const ready = (): void => onProgress?.(++done, paths.length)
  // Files that cannot be decoded while others are: what is wrong with them is certain only when they are decoded alone.
  const doubtful: number[] = []
  const inspect = async (place: number): Promise<void> => {
    const candidate = candidateAt(place)
    const before = await sizeAndTime(candidate.file)
    if (!isKnown(place, before)) {
      const found = await factsOf(candidate, before.modified, decode)
      if (typeof found.problem === 'string') doubtful.push(place)
      cache.add(place, typeof found.problem === 'string' ? { ...found, problem: undefined } : found)
    }
    ready()
  }

  const keeper = new Keeper(cache, warn)
  await keeper.keep()
  try {
    keeper.begin()
    const changed = (await isLocalDisk(root)) ? changedFiles(paths.length, (place) => fileOf(root, paths.at(place), spelled), isKnown, ready, signal) : Array(paths.length).keys()
    await pMap(changed, inspect, { concurrency: threads(), ...(signal === undefined ? {} : { signal }) })
    // libvips keeps the last error of all its threads in one place, so its message is certain to belong to a file only if that is decoded alone.
    for (const place of doubtful) {
      const candidate = candidateAt(place)
      cache.add(place, await factsOf(candidate, (await sizeAndTime(candidate.file)).modified, decode))
    }
    return facts
  } finally {
    await keeper.end()
  }
}

/**
 * Yields the files of which something is to be found out, and says of all others that they are ready. Where a disk answers at once, a promise for each
 * answer takes five times as long as the answer: 40 s for a million files. So the disk is asked directly, for some files at a time.
 */
async function* changedFiles(count: number, fileAt: (place: number) => string, isKnown: (place: number, now: SizeAndTime) => boolean, ready: () => void, signal: AbortSignal | undefined): AsyncGenerator<number> {
  for (let place = 0; place < count; place++) {
    if (place % LOOKS_AT_ONCE === 0) await setImmediate()
    signal?.throwIfAborted()
    const found = statSync(fileAt(place), { throwIfNoEntry: false })
    if (found?.isFile() === true && isKnown(place, { size: found.size, modified: found.mtimeMs })) ready()
    else yield place
  }
}

/** Keeps what was found out, now and then. A folder that refuses is told of once: it costs the next start time, and this one nothing. */
class Keeper {
  readonly #cache: FileCache
  readonly #warn: (message: string) => void
  #told = false
  #timer: NodeJS.Timeout | undefined
  #saving: Promise<void> = Promise.resolve()

  constructor(cache: FileCache, warn: (message: string) => void) {
    this.#cache = cache
    this.#warn = warn
  }

  async keep(): Promise<void> {
    try {
      await this.#cache.save()
    } catch (error) {
      if (!this.#told) this.#warn(`what is found out about the images cannot be kept: ${messageOf(error)}. The next start checks them again; HERD_CACHE names another folder.`)
      this.#told = true
    }
  }

  begin(restMs = KEEP_MS): void {
    this.#timer = setTimeout(() => {
      const begin = performance.now()
      this.#saving = this.keep().then(() => {
        if (this.#timer !== undefined) this.begin(Math.max(KEEP_MS, KEEP_REST * (performance.now() - begin)))
      })
    }, restMs)
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#saving
    await this.keep()
  }
}

/** One file of a scan. */
interface Candidate {
  path: string
  file: string
}

interface SizeAndTime {
  size: number
  modified: number
}

/** Hashes one file and, if `decode` is true, decodes it. */
async function factsOf({ path, file }: Candidate, modified: number, decode: boolean): Promise<FoundFacts> {
  const bytes = await readFile(file).catch((error: unknown) => unreadable(file, error))
  return { bytes: bytes.length, modified, sha256: createHash('sha256').update(bytes).digest(), problem: decode ? await problemOf(bytes, path) : undefined }
}

async function sizeAndTime(file: string): Promise<SizeAndTime> {
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
