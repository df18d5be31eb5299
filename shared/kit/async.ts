/** A promise with the functions that settle it from outside. */
export interface Deferred<T> {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
}

/**
 * Makes a promise that is settled from outside, like Promise.withResolvers, which Node has from version 22 on. Only the first call of `resolve`
 * or `reject` counts.
 */
export function deferred<T>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] | undefined
  let reject: Deferred<T>['reject'] | undefined
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise
    reject = rejectPromise
  })
  // The check is for the compiler, which does not know that a promise calls its executor at once.
  if (resolve === undefined || reject === undefined) throw new Error('a promise did not call its executor')
  return { promise, resolve, reject }
}

/** A queue of tasks that run one after the other, in the order in which they came. A task that fails does not stop those behind it. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * Runs a task when those before it have ended.
   * @returns the task's result
   * @throws the task's error
   */
  take<T>(task: () => T | Promise<T>): Promise<T> {
    const mine = this.#last.then(task)
    this.#last = mine.catch(() => undefined)
    return mine
  }

  /** Waits until all tasks that have come so far have ended, whether or not they failed. */
  async ended(): Promise<void> {
    await this.#last
  }
}

/** A group of waits for events that may never come: `fail` makes all of them fail when it is known that nothing will come. */
export class Waits {
  readonly #reject = new Set<(error: Error) => void>()
  #failed: Error | undefined

  /** Makes all waits fail, present and future ones. */
  fail(error: Error): void {
    this.#failed = error
    for (const reject of this.#reject) reject(error)
  }

  /**
   * Waits for a promise.
   * @throws the error that `fail` was called with, before or during the wait
   */
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
