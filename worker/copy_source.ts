import type { ImageSource } from '../shared/data/sources/image_source.ts'
import { DataError, messageOf } from '../shared/kit/errors.ts'
import type { Log } from '../shared/kit/log.ts'

/** A worker's own copy of the data set. An image that cannot be read there any more comes from the coordinator: it costs time, not the worker. */
export class CopySource implements ImageSource {
  readonly #copy: ImageSource
  readonly #coordinator: ImageSource
  readonly #log: Pick<Log, 'warn'>
  /** Samples whose file in the copy could not be read. */
  readonly #lacking = new Set<number>()

  constructor(copy: ImageSource, coordinator: ImageSource, log: Pick<Log, 'warn'>) {
    this.#copy = copy
    this.#coordinator = coordinator
    this.#log = log
  }

  /** @throws as the coordinator's source does, if an image cannot be read here or there */
  async read(samples: readonly number[]): Promise<Buffer[]> {
    return (await Promise.all(samples.map((sample) => this.#one(sample)))).flat()
  }

  async #one(sample: number): Promise<Buffer[]> {
    if (!this.#lacking.has(sample)) {
      try {
        return await this.#copy.read([sample])
      } catch (error) {
        if (!(error instanceof DataError)) throw error
        if (this.#lacking.size === 0) this.#log.warn(`${messageOf(error)} The image comes from the coordinator instead, as every other does that this copy lacks; this is said once.`)
        this.#lacking.add(sample)
      }
    }
    return this.#coordinator.read([sample])
  }
}
