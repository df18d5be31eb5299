import type { DecodedImage } from '../transforms/decode.ts'
import type { Samples } from '../columns/samples.ts'
import type { PixelCache } from './pixel_cache/pixel_cache.ts'

/** Memory in bytes that a process uses for decoded images: enough for a thousand of Animals-10's. */
export const DECODED_CACHE_BYTES = 192 * 1024 * 1024

/**
 * A cache of decoded images in memory, as many as fit, in front of the cache file that all processes of the machine share. Nothing is
 * evicted from memory: an epoch uses each image once, so one image is as good to keep as another, and replacing any would only cost time.
 */
export class DecodedCache {
  readonly #limitBytes: number
  readonly #file: { pixels: PixelCache; samples: Pick<Samples, 'sha256'> } | undefined
  readonly #images = new Map<number, DecodedImage>()
  #bytes = 0

  /** @param limitBytes limit of the memory @param file cache file behind the memory, and the samples, whose hashes are its keys */
  constructor(limitBytes: number, file?: { pixels: PixelCache; samples: Pick<Samples, 'sha256'> }) {
    this.#limitBytes = limitBytes
    this.#file = file
  }

  /** Bytes of the images in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes of the images on disk, of all data sets together. */
  get fileBytes(): number {
    return this.#file?.pixels.bytes ?? 0
  }

  /** Returns an image if it is in memory. */
  get(sample: number): DecodedImage | undefined {
    return this.#images.get(sample)
  }

  /**
   * Reads an image from the cache file, and keeps it in memory if there is room.
   * @param use called with the image if it is there; must not keep the pixels
   * @returns true if the image was there
   */
  async read(sample: number, use: (image: DecodedImage) => void): Promise<boolean> {
    if (this.#file === undefined) return false
    return this.#file.pixels.read(this.#file.samples.sha256(sample), (image) => {
      // The pixels are copied this way because slice() of a Buffer would be a view.
      if (this.#fits(sample, image)) this.#keep(sample, { ...image, data: new Uint8Array(image.data) })
      use(image)
    })
  }

  /** Keeps a decoded image in memory and in the cache file, as far as there is room. It must not be changed afterwards. */
  offer(sample: number, image: DecodedImage): void {
    if (this.#fits(sample, image)) this.#keep(sample, image)
    this.#file?.pixels.offer(this.#file.samples.sha256(sample), image)
  }

  /** Closes the cache file once all images that were offered to it are written. */
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
