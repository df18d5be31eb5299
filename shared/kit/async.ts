/** A promise, and what settles it from outside. */
export interface Deferred<T> {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
}

/** A promise that somebody else settles: what Promise.withResolvers is from Node 22 on. Only the first settling counts. */
export function deferred<T>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] | undefined
  let reject: Deferred<T>['reject'] | undefined
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise
    reject = rejectPromise
  })
  // A promise calls its executor at once; the compiler does not know that.
  if (resolve === undefined || reject === undefined) throw new Error('a promise did not call its executor')
  return { promise, resolve, reject }
}

/** Tasks that run one after the other, in the order in which they came; one that fails holds up none. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs a task when those before it have ended. @throws what the task throws */
  take<T>(task: () => T | Promise<T>): Promise<T> {
    const mine = this.#last.then(task)
    this.#last = mine.catch(() => undefined)
    return mine
  }

  /** Settles when all tasks that have come so far have ended, however they did. */
  async ended(): Promise<void> {
    await this.#last
  }
}

/** Waits for what may never come: when it is known that nobody will bring it, all who wait fail. */
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
    const { promise: failed, reject } = deferred<never>()
    this.#reject.add(reject)
    if (this.#failed !== undefined) reject(this.#failed)
    try {
      return await Promise.race([wait, failed])
    } finally {
      this.#reject.delete(reject)
    }
  }
}
