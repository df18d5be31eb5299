import { readFile } from 'node:fs/promises'
import { DataError, messageOf } from '../../kit/errors.ts'

/** Where the files of samples come from: a folder, or the coordinator with a disk cache before it. */
export interface ImageSource {
  /**
   * The original files of some samples, in the order asked for.
   * @throws DataError naming the file that cannot be had.
   */
  read(samples: readonly number[]): Promise<Buffer[]>
}

export class FolderSource implements ImageSource {
  readonly #files: readonly string[]

  /** @param files where each sample is, by sample id. */
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
          throw new DataError(`${file} was there when the data set was opened, but cannot be read now: ${messageOf(error)}`)
        }
      }),
    )
  }
}
