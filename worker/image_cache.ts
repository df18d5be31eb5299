import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { makeFolders } from '../shared/kit/folders.ts'
import { Turns } from '../shared/kit/async.ts'
import { writeAtomically } from '../shared/kit/atomic_file.ts'
import { messageOf } from '../shared/kit/errors.ts'
import type { Log } from '../shared/kit/log.ts'
import { sha256Of } from '../shared/kit/sha256.ts'

/** Surroundings of a cache: the time, which is stored as each file's time of use, and a place for its one warning. */
export interface ImageCacheParts {
  now: () => Date
  log: Pick<Log, 'warn'>
}

/**
 * Image files in a folder with a size limit, named by their sha256; the least recently used are removed first. Several workers of a machine may
 * share the folder: files are written atomically, checked when they are read, and may vanish at any time. A folder that refuses costs a warning
 * and speed: what is not in it is fetched again.
 */
export class ImageCache {
  readonly #folder: string
  readonly #limitBytes: number
  readonly #parts: ImageCacheParts
  #bytes: number | undefined
  readonly #making = new Turns()
  /** True once the folder could not be written: it is not tried again. */
  #refuses = false

  constructor(folder: string, limitBytes: number, parts: ImageCacheParts) {
    this.#folder = folder
    this.#limitBytes = limitBytes
    this.#parts = parts
  }

  /**
   * Reads a file and marks it as used now.
   * @returns undefined if the file is missing or cannot be read, or its content does not have this hash (it is then removed)
   */
  async get(sha256: string): Promise<Buffer | undefined> {
    const file = this.#fileOf(sha256)
    try {
      const data = await readFile(file)
      if (sha256Of(data) === sha256) {
        await this.#touch(file)
        return data
      }
      await rm(file, { force: true })
    } catch (error) {
      if (!isMissing(error)) this.#giveUp(error)
    }
    return undefined
  }

  /** Stores a file, and removes the least recently used ones if the limit is exceeded. A file larger than the limit is not stored. */
  async put(sha256: string, data: Buffer): Promise<void> {
    if (data.length > this.#limitBytes || this.#refuses) return
    const file = this.#fileOf(sha256)
    try {
      // Images may be private: other users of the machine must not read them.
      await makeFolders(path.dirname(file), 0o700)
      await writeAtomically(file, [data], { durable: false })
      await this.#touch(file)
      this.#bytes = this.#bytes === undefined ? await this.#total() : this.#bytes + data.length
      // Clean-ups run one at a time. Each lists the folder anew, since other workers write to it too.
      if (this.#bytes > this.#limitBytes) await this.#making.take(() => this.#makeRoom())
    } catch (error) {
      this.#giveUp(error)
    }
  }

  #giveUp(error: unknown): void {
    if (!this.#refuses) this.#parts.log.warn(`no more images of the coordinator are kept in ${this.#folder}: ${messageOf(error)}. Training goes on, and fetches them again in each epoch.`)
    this.#refuses = true
  }

  /** Sets a file's modification time, which says when it was last used. The file may be gone, or be another user's: it then only counts as older. */
  async #touch(file: string): Promise<void> {
    const now = this.#parts.now()
    await utimes(file, now, now).catch(() => undefined)
  }

  async #makeRoom(): Promise<void> {
    const files = await this.#files()
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    // Clean-up goes a little below the limit, so that not every put has to list the folder again.
    const goal = this.#limitBytes * 0.9
    for (const file of files.sort((a, b) => a.used - b.used)) {
      if (bytes <= goal) break
      await rm(file.path, { force: true })
      bytes -= file.bytes
    }
    this.#bytes = bytes
  }

  async #total(): Promise<number> {
    return (await this.#files()).reduce((sum, file) => sum + file.bytes, 0)
  }

  async #files(): Promise<{ path: string; bytes: number; used: number }[]> {
    await makeFolders(this.#folder)
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true })
    const files = await Promise.all(
      entries
        .filter((entry) => entry.isFile())
        .map(async (entry) => {
          const file = path.join(entry.parentPath, entry.name)
          const facts = await stat(file).catch(() => undefined)
          return facts === undefined ? [] : [{ path: file, bytes: facts.size, used: facts.mtimeMs }]
        }),
    )
    return files.flat()
  }

  /** Path of a file: spread over 256 subfolders by the first two digits of the hash, as git does with its objects. */
  #fileOf(sha256: string): string {
    return path.join(this.#folder, sha256.slice(0, 2), sha256)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
