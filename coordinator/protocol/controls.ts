/** A membership as `Controls` sees it. */
interface Control<Down> {
  readonly over: boolean
  tick(gapMs: number): void
  end(lastWord: Down): void
}

/** The open memberships of one kind: those of workers, or those of reducers. */
export class Controls<Down> {
  readonly #now: () => number
  readonly #open = new Set<Control<Down>>()
  #tickedAt: number

  /** @param now milliseconds on a monotonic clock */
  constructor(now: () => number) {
    this.#now = now
    this.#tickedAt = now()
  }

  add(control: Control<Down>): void {
    this.#open.add(control)
  }

  /** Advances the time, which ends memberships that have been silent for too long. To be called about ten times a second. */
  tick(): void {
    const now = this.#now()
    const gapMs = now - this.#tickedAt
    this.#tickedAt = now
    for (const control of this.#open) {
      control.tick(gapMs)
      if (control.over) this.#open.delete(control)
    }
  }

  /** Ends all memberships in order. @param lastWord message to every member that has been greeted */
  end(lastWord: Down): void {
    for (const control of this.#open) control.end(lastWord)
    this.#open.clear()
  }
}
