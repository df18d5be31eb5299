import { readFile } from 'node:fs/promises'
import pRetry from 'p-retry'
import { DataError, messageOf } from '../../kit/errors.ts'
import { sha256Of } from '../../kit/sha256.ts'
import type { ImageSource } from './image_source.ts'

/** The samples' files on this machine by id, and the hashes that their bytes had when the data set was checked. */
export interface HashedFiles {
  file(id: number): string
  sha256(id: number): string
}

/**
 * Number of times that a file is read again, and the wait before the first of them. Each further wait is twice as long: four seconds together,
 * which is less than any worker is given before it counts as stuck.
 */
const RETRIES = 4
const FIRST_WAIT_MS = 250

/**
 * Image files of a folder. A file is read again for some seconds before it is given up: a network disk may be away for a moment, and a process may
 * have too many files open.
 */
export class FolderSource implements ImageSource {
  readonly #files: HashedFiles
  readonly #firstWaitMs: number

  constructor(files: HashedFiles, firstWaitMs = FIRST_WAIT_MS) {
    this.#files = files
    this.#firstWaitMs = firstWaitMs
  }

  /**
   * Reads the files of samples, in the given order.
   * @throws DataError that names the file that cannot be read, or whose bytes are no longer those that were checked
   */
  read(samples: readonly number[]): Promise<Buffer[]> {
    const read = (id: number): Promise<Buffer> => pRetry(() => readChecked(this.#files.file(id), this.#files.sha256(id)), { retries: RETRIES, minTimeout: this.#firstWaitMs, factor: 2 })
    return Promise.all(samples.map(read))
  }
}

async function readChecked(file: string, sha256: string): Promise<Buffer> {
  let data: Buffer
  try {
    data = await readFile(file)
  } catch (error) {
    throw new DataError(`${file} was there when the data set was checked, but cannot be read now: ${messageOf(error)}`, { cause: error })
  }
  // Pixels of other bytes would be kept, under the hash of the right ones, for every later run.
  if (sha256Of(data) !== sha256) throw new DataError(`${file} has changed since the data set was checked: put the old file back, or begin another run with the new one.`)
  return data
}
