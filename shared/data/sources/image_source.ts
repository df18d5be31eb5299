import { readFile } from 'node:fs/promises'
import { DataError, messageOf } from '../../kit/errors.ts'

/** Source of the samples' image files: a folder, or the coordinator with a disk cache in front of it. */
export interface ImageSource {
  /**
   * Reads the original files of samples, in the given order.
   * @param samples sample ids
   * @throws DataError that names the file that cannot be read or obtained.
   */
  read(samples: readonly number[]): Promise<Buffer[]>
}

export class FolderSource implements ImageSource {
  readonly #files: readonly string[]

  /** @param files path of each sample's file, by sample id */
  constructor(files: readonly string[]) {
    this.#files = files
  }

  read(samples: readonly number[]): Promise<Buffer[]> {
    return Promise.all(
      samples.map(async (id) => {
        const file = this.#files[id]
        try {
          return await readFile(file)
        } catch (error) {
          throw new DataError(`${file} was there when the data set was opened, but cannot be read now: ${messageOf(error)}`, { cause: error })
        }
      }),
    )
  }
}
