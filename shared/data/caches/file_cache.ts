import { access, constants, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { makeFolders } from '../../kit/folders.ts'
import { writeAtomically } from '../../kit/atomic_file.ts'
import { sha256Of } from '../../kit/sha256.ts'
import { DECODER_VERSION } from '../transforms/decode.ts'

const FORMAT = `files 2, ${DECODER_VERSION}`

const fileFacts = z.object({
  bytes: z.int().min(0),
  /** Time of the last change, in milliseconds since 1970, with the fraction that the file system keeps. */
  modified: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Reason why the file cannot be decoded; null if it can, absent if that has not been tried yet. */
  problem: z.string().nullable().optional(),
})
export type FileFacts = z.infer<typeof fileFacts>

const cacheSchema = z.object({ format: z.literal(FORMAT), root: z.string(), files: z.record(z.string(), fileFacts) })

/**
 * Facts about a data set's files, kept on disk between runs so that an unchanged file (by size and time of change) is neither
 * hashed nor decoded again. A cache that is missing, damaged or of another version counts as empty: everything in it can be found out again.
 */
export class FileCache {
  readonly #file: string
  readonly #root: string
  readonly #facts: Map<string, FileFacts>
  #changed = false

  private constructor(file: string, root: string, facts: Map<string, FileFacts>) {
    this.#file = file
    this.#root = root
    this.#facts = facts
  }

  /** Reads the cache of a data set. @param root folder of the data set @param paths paths of the files that are there now; facts about others are dropped */
  static async open(cacheFolder: string, root: string, paths: ReadonlySet<string>): Promise<FileCache> {
    const absolute = resolve(root)
    const file = join(cacheFolder, 'datasets', `${sha256Of(absolute).slice(0, 32)}.json`)
    const facts = await readCache(file, absolute)
    for (const path of facts.keys()) if (!paths.has(path)) facts.delete(path)
    return new FileCache(file, absolute, facts)
  }

  /** Returns the facts about a file; undefined if it is unknown, or has changed since. */
  find(path: string, bytes: number, modified: number): FileFacts | undefined {
    const facts = this.#facts.get(path)
    return facts?.bytes === bytes && facts.modified === modified ? facts : undefined
  }

  add(path: string, facts: FileFacts): void {
    this.#facts.set(path, facts)
    this.#changed = true
  }

  /**
   * Writes the cache if anything was added since the last time, in one piece or not at all; otherwise only looks whether it could.
   * @throws the error of the file system if the folder cannot be written
   */
  async save(): Promise<void> {
    const folder = dirname(this.#file)
    await makeFolders(folder)
    await access(folder, constants.W_OK)
    if (!this.#changed) return
    this.#changed = false
    await writeAtomically(this.#file, [JSON.stringify({ format: FORMAT, root: this.#root, files: Object.fromEntries(this.#facts) })])
  }
}

async function readCache(file: string, root: string): Promise<Map<string, FileFacts>> {
  const text = await readFile(file, 'utf8').catch(() => '')
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return new Map()
  }
  const cache = cacheSchema.safeParse(parsed)
  return cache.success && cache.data.root === root ? new Map(Object.entries(cache.data.files)) : new Map()
}
