import type { DecodedImage } from '../transforms/decode.ts'
import type { PixelCache } from './pixel_cache/pixel_cache.ts'

/** Memory of a process for decoded images: a thousand of Animals-10's. */
export const DECODED_CACHE_BYTES = 192 * 1024 * 1024

/**
 * Decoded images in memory, as many as fit, before the cache file that the machine's processes share. Nothing is evicted from
 * memory: an epoch uses each image once, so that any of them is as good to keep as another, and exchanging them would only cost.
 */
export class DecodedCache {
  readonly #limitBytes: number
  readonly #file: { pixels: PixelCache; samples: readonly { sha256: string }[] } | undefined
  readonly #images = new Map<number, DecodedImage>()
  #bytes = 0

  /** @param file what is behind it, and the samples by whose content it is asked */
  constructor(limitBytes: number, file?: { pixels: PixelCache; samples: readonly { sha256: string }[] }) {
    this.#limitBytes = limitBytes
    this.#file = file
  }

  /** In memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** On disk, of all data sets. */
  get fileBytes(): number {
    return this.#file?.pixels.bytes ?? 0
  }

  /** From memory. */
  get(sample: number): DecodedImage | undefined {
    return this.#images.get(sample)
  }

  /**
   * From the cache file, and into memory if there is room.
   * @param use must not keep the pixels
   * @returns whether it was there
   */
  async read(sample: number, use: (image: DecodedImage) => void): Promise<boolean> {
    if (this.#file === undefined) return false
    return this.#file.pixels.read(this.#file.samples[sample].sha256, (image) => {
      // A copy: slice() of a Buffer would be a view.
      if (this.#fits(sample, image)) this.#keep(sample, { ...image, data: new Uint8Array(image.data) })
      use(image)
    })
  }

  /** Keeps an image that was decoded, where there is room. It must not be changed afterwards. */
  offer(sample: number, image: DecodedImage): void {
    if (this.#fits(sample, image)) this.#keep(sample, image)
    this.#file?.pixels.offer(this.#file.samples[sample].sha256, image)
  }

  async close(): Promise<void> {
    await this.#file?.pixels.close()
  }

  #fits(sample: number, { data }: DecodedImage): boolean {
    return !this.#images.has(sample) && this.#bytes + data.length <= this.#limitBytes
  }

  #keep(sample: number, image: DecodedImage): void {
    this.#bytes += image.data.length
    this.#images.set(sample, image)
  }
}
