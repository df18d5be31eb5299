import { access, constants, open, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { makeFolders } from '../../kit/folders.ts'
import { writeAtomically } from '../../kit/atomic_file.ts'
import { messageOf } from '../../kit/errors.ts'
import { sha256Of } from '../../kit/sha256.ts'
import type { PathList } from '../columns/path_list.ts'
import { byCodeUnits } from '../columns/paths.ts'
import { SLICE } from '../columns/slice.ts'
import { DECODER_VERSION } from '../transforms/decode.ts'
import { blockOf, LAST_BLOCK, readBlocks, type FileEntry } from './file_cache_blocks.ts'
import { readOldCache } from './file_cache_json.ts'
import { FileFacts, Known, type FoundFacts } from './file_facts.ts'

const FORMAT = `files 3, ${DECODER_VERSION}`
/** Limit of the first line, which names format and folder. */
const MAX_LINE_BYTES = 16384
/** Bytes that are read from the disk at once. */
const READ_BYTES = 2 ** 20

/**
 * Facts about a data set's files, kept on disk between runs so that an unchanged file (by size and time of change) is neither
 * hashed nor decoded again. The file begins with a line that names format and folder; then come blocks of columns, sorted by path. A cache that is
 * missing, damaged or of another version counts as empty: everything in it can be found out again.
 */
export class FileCache {
  readonly facts: FileFacts
  readonly #file: string
  readonly #root: string
  readonly #paths: PathList
  #changed = false

  private constructor(file: string, root: string, paths: PathList) {
    this.#file = file
    this.#root = root
    this.#paths = paths
    this.facts = new FileFacts(paths.length)
  }

  /**
   * Reads the cache of a data set.
   * @param root folder of the data set
   * @param paths sorted paths of the files that are there now; facts about others are dropped
   * @param warn receives a sentence if a cache is there and cannot be used
   */
  static async open(cacheFolder: string, root: string, paths: PathList, warn: (message: string) => void): Promise<FileCache> {
    const absolute = resolve(root)
    const cache = new FileCache(join(cacheFolder, 'datasets', `${sha256Of(absolute).slice(0, 32)}.files`), absolute, paths)
    await cache.#read(warn)
    return cache
  }

  /** Keeps what was found out about a file. */
  add(place: number, facts: FoundFacts): void {
    this.facts.set(place, facts)
    this.#changed = true
  }

  /**
   * Writes the cache if anything was added since it was written last, in one piece or not at all; otherwise only looks whether it could.
   * @throws the error of the file system if the folder cannot be written
   */
  async save(): Promise<void> {
    const folder = dirname(this.#file)
    await makeFolders(folder)
    await access(folder, constants.W_OK)
    if (!this.#changed) return
    this.#changed = false
    try {
      await writeAtomically(this.#file, this.#encoded())
    } catch (error) {
      this.#changed = true
      throw error
    }
    await rm(this.#oldFile, { force: true })
  }

  get #oldFile(): string {
    return this.#file.replace(/\.files$/, '.json')
  }

  /** Encodes all that is known, a block at a time, while others have their turn. */
  async *#encoded(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${JSON.stringify({ format: FORMAT, root: this.#root })}\n`)
    for (let begin = 0; begin < this.facts.length; begin += SLICE) {
      await setImmediate()
      const places: number[] = []
      for (let place = begin; place < Math.min(begin + SLICE, this.facts.length); place++) if (this.facts.known[place] !== Known.nothing) places.push(place)
      if (places.length > 0) yield blockOf(this.#paths, this.facts, places)
    }
    yield LAST_BLOCK
  }

  async #read(warn: (message: string) => void): Promise<void> {
    const anew = 'The images are checked anew.'
    const handle = await open(this.#file, 'r').catch((error: unknown) => {
      const isAbsent = error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
      if (!isAbsent) warn(`${this.#file}, which keeps what was found out about the images, cannot be read: ${messageOf(error)}. ${anew}`)
    })
    if (handle === undefined) return this.#readOld()
    try {
      const read = readerOf(handle)
      const line = await readLine(read)
      if (line !== JSON.stringify({ format: FORMAT, root: this.#root })) return warn(`${this.#file}, which keeps what was found out about the images, is of another version of Herd. ${anew}`)
      await this.#takeAll(readBlocks(read))
    } catch (error) {
      this.facts.known.fill(Known.nothing)
      warn(`${this.#file}, which keeps what was found out about the images, is damaged: ${messageOf(error)}. ${anew}`)
    } finally {
      await handle.close()
    }
  }

  /** Takes the facts about files that are there still. Both sides are sorted by path, so they are gone through together. */
  async #takeAll(blocks: AsyncIterable<FileEntry[]>): Promise<void> {
    let place = 0
    for await (const entries of blocks) {
      for (const entry of entries) {
        let order = -1
        while (place < this.#paths.length && (order = byCodeUnits(this.#paths.at(place), entry.path)) < 0) place++
        if (place < this.#paths.length && order === 0) this.facts.set(place++, entry)
      }
      await setImmediate()
    }
  }

  async #readOld(): Promise<void> {
    const known = await readOldCache(this.#oldFile, this.#root)
    if (known.size === 0) return
    for (let place = 0; place < this.#paths.length; place++) {
      const facts = known.get(this.#paths.at(place))
      if (facts !== undefined) this.add(place, facts)
    }
  }
}

/** Makes a function that reads further on in a file, so many bytes, or fewer at its end. */
function readerOf(handle: FileHandle): (bytes: number) => Promise<Buffer> {
  let rest = Buffer.alloc(0)
  return async (bytes) => {
    const parts = [rest]
    let length = rest.length
    while (length < bytes) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES)
      if (bytesRead === 0) break
      parts.push(buffer.subarray(0, bytesRead))
      length += bytesRead
    }
    const all = parts.length === 1 ? rest : Buffer.concat(parts)
    rest = all.subarray(bytes)
    return all.subarray(0, bytes)
  }
}

async function readLine(read: (bytes: number) => Promise<Buffer>): Promise<string> {
  const line: number[] = []
  for (let [byte] = await read(1); byte !== undefined && byte !== 10 && line.length < MAX_LINE_BYTES; [byte] = await read(1)) line.push(byte)
  return Buffer.from(line).toString('utf8')
}
