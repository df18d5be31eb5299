export interface PacedParts<T> {
  /** Shortest time between two items that are handled, in seconds. */
  seconds: number
  /** Seconds on a monotonic clock. */
  now: () => number
  handle: (item: T) => Promise<void>
}

/** Handles the newest of items that may come often: the first one, one now and then, and the last one. Those between are dropped. */
export class Paced<T> {
  readonly #parts: PacedParts<T>
  #handledAt = Number.NEGATIVE_INFINITY
  #waiting: { item: T } | undefined

  constructor(parts: PacedParts<T>) {
    this.#parts = parts
  }

  /** Takes an item, and handles it if it is time. @throws what `handle` throws; the next item is then handled however soon it comes */
  async take(item: T): Promise<void> {
    const { now, seconds } = this.#parts
    this.#waiting = { item }
    if (now() - this.#handledAt >= seconds) await this.handleRest()
  }

  /** Handles the last item, if it has not been handled. @throws what `handle` throws; the item then still waits */
  async handleRest(): Promise<void> {
    const { now, handle } = this.#parts
    const waiting = this.#waiting
    if (waiting === undefined) return
    await handle(waiting.item)
    if (this.#waiting === waiting) this.#waiting = undefined
    this.#handledAt = now()
  }
}
