import type { Samples } from '../shared/data/columns/samples.ts'
import type { ImageSource } from '../shared/data/sources/image_source.ts'
import { DataError, ProtocolError } from '../shared/kit/errors.ts'
import { sha256Of } from '../shared/kit/sha256.ts'
import type { ImageCache } from './image_cache.ts'
import type { Link } from './link.ts'

/** Image files from the coordinator, each checked against the manifest's hash, behind a cache on disk. */
export class RemoteSource implements ImageSource {
  readonly #link: Pick<Link, 'fetchImages'>
  readonly #samples: Samples
  readonly #cache: ImageCache
  readonly #onCache: (hit: boolean) => void
  readonly #onProgress: (cached: number, total: number) => void
  /** 1 for each sample that has been read once: it is in the cache, as long as that is large enough. */
  readonly #seen: Uint8Array
  #seenCount = 0

  /**
   * @param onCache called for each file: true if it was in the cache
   * @param onProgress called when more samples than before have been read at least once
   */
  constructor(link: Pick<Link, 'fetchImages'>, samples: Samples, cache: ImageCache, onCache: (hit: boolean) => void = () => undefined, onProgress: (cached: number, total: number) => void = () => undefined) {
    this.#link = link
    this.#samples = samples
    this.#seen = new Uint8Array(samples.length)
    this.#cache = cache
    this.#onCache = onCache
    this.#onProgress = onProgress
  }

  /**
   * Reads the image files of samples, from the cache or the coordinator.
   * @returns the files in the order of the samples
   * @throws DataError if the coordinator does not send a file, or sends one with another hash
   * @throws ProtocolError if it sends a sample that was not asked for
   */
  async read(samples: readonly number[]): Promise<Buffer[]> {
    const files = await Promise.all(samples.map((sample) => this.#cache.get(this.#samples.sha256(sample))))
    for (const file of files) this.#onCache(file !== undefined)
    const missing = samples.filter((_, index) => files[index] === undefined)
    if (missing.length > 0) {
      const fetched = await this.#fetch(missing)
      samples.forEach((sample, index) => (files[index] ??= fetched.get(sample)))
    }
    this.#see(samples)
    return files.map((file, index) => {
      if (file === undefined) throw new DataError(`the coordinator did not send ${this.#samples.path(samples[index])}.`)
      return file
    })
  }

  #see(samples: readonly number[]): void {
    const before = this.#seenCount
    for (const sample of samples) {
      this.#seenCount += 1 - this.#seen[sample]
      this.#seen[sample] = 1
    }
    if (this.#seenCount > before) this.#onProgress(this.#seenCount, this.#samples.length)
  }

  async #fetch(samples: readonly number[]): Promise<Map<number, Buffer>> {
    const fetched = new Map<number, Buffer>()
    const wanted = new Set(samples)
    for await (const { sample, data } of this.#link.fetchImages([...wanted])) {
      if (!wanted.delete(sample)) throw new ProtocolError(`the coordinator sent sample ${sample}, which was not asked for.`)
      const expected = this.#samples.sha256(sample)
      if (sha256Of(data) !== expected) {
        throw new DataError(`${this.#samples.path(sample)} came from the coordinator with other bytes than its hash says: was the data set changed during the run?`)
      }
      fetched.set(sample, data)
      await this.#cache.put(expected, data)
    }
    return fetched
  }
}
