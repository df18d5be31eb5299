/** Number of latest readings that are kept: clocks drift, so an old reading becomes wrong. */
const KEPT = 16

/**
 * An estimate of how far another process's clock is ahead of this one's. Asked for its time, the other process answers at some moment between
 * the departure of the question and the arrival of the answer; taking the middle is wrong by at most half of that round trip. Of the latest
 * readings, the one with the shortest round trip counts (Mills, RFC 5905, section 10: the clock filter).
 */
export class ClockOffset {
  readonly #readings: { offset: number; roundTrip: number }[] = []

  /**
   * Adds a reading. All times are in seconds.
   * @param sent departure of the question by this clock
   * @param received arrival of the answer by this clock
   * @param theirs time in the answer, by the other clock
   */
  add(sent: number, received: number, theirs: number): void {
    this.#readings.push({ offset: theirs - (sent + received) / 2, roundTrip: received - sent })
    if (this.#readings.length > KEPT) this.#readings.shift()
  }

  /** Number of readings to choose from. */
  get readings(): number {
    return this.#readings.length
  }

  /** Seconds by which the other clock is ahead; undefined before the first reading. */
  get ahead(): number | undefined {
    if (this.#readings.length === 0) return undefined
    return this.#readings.reduce((best, reading) => (reading.roundTrip < best.roundTrip ? reading : best)).offset
  }
}
