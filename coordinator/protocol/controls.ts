/** What is done to every membership alike. */
interface Control<Down> {
  readonly over: boolean
  tick(gapMs: number): void
  end(lastWord: Down): void
}

/** The memberships of one kind that are going on. */
export class Controls<Down> {
  readonly #now: () => number
  readonly #open = new Set<Control<Down>>()
  #tickedAt: number

  /** @param now milliseconds on a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now
    this.#tickedAt = now()
  }

  add(control: Control<Down>): void {
    this.#open.add(control)
  }

  /** Passes the time on: a member that is silent for too long is found when the clock ticks. Call it about ten times a second. */
  tick(): void {
    const now = this.#now()
    const gapMs = now - this.#tickedAt
    this.#tickedAt = now
    for (const control of this.#open) {
      control.tick(gapMs)
      if (control.over) this.#open.delete(control)
    }
  }

  /** Ends them all in order. */
  end(lastWord: Down): void {
    for (const control of this.#open) control.end(lastWord)
    this.#open.clear()
  }
}
