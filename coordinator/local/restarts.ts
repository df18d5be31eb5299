/** Number of times that one process is started again within the window; one that dies more often has a reason that no start mends. */
const MOST = 5
const WINDOW_SECONDS = 600
/** Wait before a process is started again for the first time within the window; it doubles with each further time. */
const FIRST_WAIT_MS = 1000

/**
 * Decides whether a process of this machine that has ended is started again. One that had done its part since its start is: it died of a lack of
 * memory, or was killed. One that ended before it could take part would do so again.
 */
export class Restarts {
  /** Processes that have taken part since they were started. */
  readonly #useful = new Set<string>()
  /** Times of each process's restarts within the window, in seconds. */
  readonly #times = new Map<string, number[]>()

  /** Notes that a process takes part. */
  takesPart(name: string): void {
    this.#useful.add(name)
  }

  /**
   * Decides about a process that has ended.
   * @param now seconds on a monotonic clock
   * @returns milliseconds after which it is to be started again; undefined if it is not
   */
  after(name: string, now: number): number | undefined {
    const times = (this.#times.get(name) ?? []).filter((time) => now - time < WINDOW_SECONDS)
    if (!this.#useful.delete(name) || times.length >= MOST) return undefined
    this.#times.set(name, [...times, now])
    return FIRST_WAIT_MS * 2 ** times.length
  }
}
