/**
 * Work that goes on beside training, one piece at a time. A failure is kept until the next `check` or `done` throws it, once; it is
 * neither lost nor an unhandled rejection.
 */
export class BackgroundWork {
  #work: Promise<void> = Promise.resolve()
  #failure: { error: unknown } | undefined

  /** Takes over a piece of work that has begun. The piece before it must have ended: await `done` first. */
  add(work: Promise<void>): void {
    this.#work = work.catch((error: unknown) => {
      this.#failure = { error }
    })
  }

  /** @throws the error with which the work has failed, once */
  check(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }

  /** Settles when the work has ended. @throws the error with which it has failed, once */
  async done(): Promise<void> {
    await this.settled()
    this.check()
  }

  /** Settles when the work has ended; never rejects. */
  settled(): Promise<void> {
    return this.#work
  }
}
