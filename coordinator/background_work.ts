/**
 * Work that goes on beside training, one piece at a time. What fails is told to whoever asks next, once; it is never lost, and
 * never unhandled.
 */
export class BackgroundWork {
  #work: Promise<void> = Promise.resolve()
  #failure: { error: unknown } | undefined

  /** Takes a piece of work that has begun. The one before it must have ended: await `done`. */
  add(work: Promise<void>): void {
    this.#work = work.catch((error: unknown) => {
      this.#failure = { error }
    })
  }

  /** @throws what the work has failed with, once */
  check(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }

  /** Settles when nothing goes on. @throws what the work has failed with, once */
  async done(): Promise<void> {
    await this.settled()
    this.check()
  }

  /** Settles when nothing goes on, whether it has failed or not. */
  settled(): Promise<void> {
    return this.#work
  }
}
