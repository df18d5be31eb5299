/** Measures the seconds of each unit (a lane, or a block of the test set): units follow each other, so one begins when the unit before it ended. */
export class UnitClock {
  readonly #now: () => number
  #since = 0

  /** @param now clock in seconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Begins the next unit now, for example because its weights have only just arrived. */
  restart(): void {
    this.#since = this.#now()
  }

  /** Begins the next unit at a given time at the earliest, in seconds: it was dealt then. */
  notBefore(time: number): void {
    this.#since = Math.max(this.#since, time)
  }

  /** Ends a unit. @returns its seconds */
  lap(): number {
    const begin = this.#since
    this.#since = this.#now()
    return this.#since - begin
  }
}
