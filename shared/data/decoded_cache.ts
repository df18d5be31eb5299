import type { DecodedImage } from './decode.ts'

/** Memory of a process for decoded images: a thousand of Animals-10's. */
export const DECODED_CACHE_BYTES = 192 * 1024 * 1024

/**
 * Decoded images in memory, as many as fit. Nothing is evicted: an epoch uses each image once, so that any of them is as
 * good to keep as another, and exchanging them would only cost.
 */
export class DecodedCache {
  readonly #limitBytes: number
  readonly #images = new Map<number, DecodedImage>()
  #bytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(sample: number): DecodedImage | undefined {
    return this.#images.get(sample)
  }

  /** Keeps an image if there is room. It must not be changed afterwards. */
  offer(sample: number, image: DecodedImage): void {
    if (this.#images.has(sample) || this.#bytes + image.data.length > this.#limitBytes) return
    this.#bytes += image.data.length
    this.#images.set(sample, image)
  }
}
