/** Computes a batch. @param pixels uint8 [count, imageSize, imageSize, 3] @returns float32 [count, classes] */
export type ComputeBatch = (pixels: Uint8Array, count: number) => Promise<Float32Array>

interface WaitingImage {
  pixels: Uint8Array
  resolve: (logits: Float32Array) => void
  reject: (error: unknown) => void
}

/**
 * Puts images that come one by one into batches. While a batch is computed, those that come wait for the next one; an image that finds the engine idle waits
 * a little for others. So batches grow with the load, up to their limit, and a single image is hardly held up.
 */
export class Batcher {
  readonly #compute: ComputeBatch
  readonly #maxBatch: number
  readonly #maxWaitMs: number
  readonly #waiting: WaitingImage[] = []
  #timer: NodeJS.Timeout | undefined
  #computing = false

  /**
   * @param limits.maxBatch most images of a batch
   * @param limits.maxWaitMs longest time for which an image waits for others while nothing is computed
   */
  constructor(compute: ComputeBatch, { maxBatch, maxWaitMs }: { maxBatch: number; maxWaitMs: number }) {
    this.#compute = compute
    this.#maxBatch = maxBatch
    this.#maxWaitMs = maxWaitMs
  }

  /**
   * Computes an image's logits in a batch with others.
   * @param pixels uint8 [imageSize, imageSize, 3]
   * @returns float32 [classes]
   * @throws whatever computing the batch throws
   */
  logits(pixels: Uint8Array): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ pixels, resolve, reject })
      if (this.#computing) return
      if (this.#waiting.length >= this.#maxBatch) void this.#computeAll()
      else this.#timer ??= setTimeout(() => void this.#computeAll(), this.#maxWaitMs)
    })
  }

  /** Computes one batch after the other until nothing waits. */
  async #computeAll(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#computing = true
    while (this.#waiting.length > 0) await this.#computeOne(this.#waiting.splice(0, this.#maxBatch))
    this.#computing = false
  }

  async #computeOne(batch: readonly WaitingImage[]): Promise<void> {
    try {
      const logits = await this.#compute(Buffer.concat(batch.map(({ pixels }) => pixels)), batch.length)
      const classes = logits.length / batch.length
      batch.forEach(({ resolve }, index) => resolve(logits.subarray(index * classes, (index + 1) * classes)))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}
