/** Waiting for what may never come: when it is known that nobody will bring it, all who wait fail. */
export class Waits {
  readonly #reject = new Set<(error: Error) => void>()
  #failed: Error | undefined

  /** Makes all waits fail, those that go on and those that come later. */
  fail(error: Error): void {
    this.#failed = error
    for (const reject of this.#reject) reject(error)
  }

  /** Waits for it. @throws what `fail` was called with, before or meanwhile */
  async for<T>(wait: Promise<T>): Promise<T> {
    let reject: (error: Error) => void = () => undefined
    const failed = new Promise<never>((_, rejectFailed) => (reject = rejectFailed))
    this.#reject.add(reject)
    if (this.#failed !== undefined) reject(this.#failed)
    try {
      return await Promise.race([wait, failed])
    } finally {
      this.#reject.delete(reject)
    }
  }
}
