import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { Turns } from '../shared/kit/async.ts'
import { writeAtomically } from '../shared/kit/atomic_file.ts'

/**
 * Image files in a folder with a size limit, named by their sha256; the least recently used are removed first. Several workers of a machine may
 * share the folder: files are written atomically, checked when they are read, and may vanish at any time.
 */
export class ImageCache {
  readonly #folder: string
  readonly #limitBytes: number
  readonly #now: () => Date
  #bytes: number | undefined
  readonly #making = new Turns()

  /** @param now current time, stored as each file's time of use */
  constructor(folder: string, limitBytes: number, now: () => Date) {
    this.#folder = folder
    this.#limitBytes = limitBytes
    this.#now = now
  }

  /**
   * Reads a file and marks it as used now.
   * @returns undefined if the file is missing, or its content does not have this hash (it is then removed)
   */
  async get(sha256: string): Promise<Buffer | undefined> {
    const file = this.#fileOf(sha256)
    try {
      const data = await readFile(file)
      if (hashOf(data) === sha256) {
        await this.#touch(file)
        return data
      }
      await rm(file, { force: true })
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    return undefined
  }

  /** Stores a file, and removes the least recently used ones if the limit is exceeded. A file larger than the limit is not stored. */
  async put(sha256: string, data: Buffer): Promise<void> {
    if (data.length > this.#limitBytes) return
    const file = this.#fileOf(sha256)
    await mkdir(path.dirname(file), { recursive: true })
    await writeAtomically(file, [data], { durable: false })
    await this.#touch(file)
    this.#bytes = this.#bytes === undefined ? await this.#total() : this.#bytes + data.length
    // Clean-ups run one at a time. Each lists the folder anew, since other workers write to it too.
    if (this.#bytes > this.#limitBytes) await this.#making.take(() => this.#makeRoom())
  }

  /** Sets a file's modification time, which says when it was last used. Another worker may have removed the file meanwhile. */
  async #touch(file: string): Promise<void> {
    const now = this.#now()
    await utimes(file, now, now).catch((error: unknown) => {
      if (!isMissing(error)) throw error
    })
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
    await mkdir(this.#folder, { recursive: true })
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

/** Computes the sha256 of a file's content, in lowercase hexadecimal. */
export function hashOf(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
