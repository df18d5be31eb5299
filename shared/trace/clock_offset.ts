/** Readings that are kept: clocks drift, so that an old one ceases to be true. */
const KEPT = 16

/**
 * By how much another process's clock is ahead of this one's. Asked for its time, it answers at some moment between the
 * question's departure and the answer's arrival; half the way between them is at most half of that time wrong. Of the last readings
 * the quickest one counts (Mills, RFC 5905, section 10: the clock filter).
 */
export class ClockOffset {
  readonly #readings: { offset: number; roundTrip: number }[] = []

  /** @param sent and `received` by this clock, `theirs` by the other one */
  add(sent: number, received: number, theirs: number): void {
    this.#readings.push({ offset: theirs - (sent + received) / 2, roundTrip: received - sent })
    if (this.#readings.length > KEPT) this.#readings.shift()
  }

  /** How many readings there are to choose from. */
  get readings(): number {
    return this.#readings.length
  }

  /** Seconds that the other clock is ahead; undefined before the first reading. */
  get ahead(): number | undefined {
    if (this.#readings.length === 0) return undefined
    return this.#readings.reduce((best, reading) => (reading.roundTrip < best.roundTrip ? reading : best)).offset
  }
}
