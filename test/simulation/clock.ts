/** Cancels a planned action; without effect once the action has happened. */
export type Cancel = () => void

interface Event {
  at: number
  order: number
  action: (() => void) | undefined
}

/**
 * A clock on which time passes only when something happens: events run in the order of their times, those of one time in
 * the order in which they were planned, each followed by all promises that it settles. So a run of minutes takes
 * milliseconds, and the same events give the same run.
 */
export class VirtualClock {
  /** Milliseconds since the beginning. */
  now = 0
  #orders = 0
  /** Binary heap of the events; the next event is the first. */
  readonly #events: Event[] = []

  after(milliseconds: number, action: () => void): Cancel {
    const event: Event = { at: this.now + Math.max(0, milliseconds), order: this.#orders++, action }
    this.#push(event)
    return () => (event.action = undefined)
  }

  /** Lets time pass until `done` is true, or nothing more can happen before the limit. @returns true if `done` was */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    while (!done()) {
      const event = this.#pop()
      if (event === undefined || event.at > limitMs) return false
      if (event.action === undefined) continue
      this.now = event.at
      event.action()
      await promisesSettled()
    }
    return true
  }

  #push(event: Event): void {
    const events = this.#events
    let index = events.push(event) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(event, events[parent])) break
      events[index] = events[parent]
      index = parent
    }
    events[index] = event
  }

  #pop(): Event | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (last === undefined || events.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= events.length) break
      if (child + 1 < events.length && isBefore(events[child + 1], events[child])) child++
      if (!isBefore(events[child], last)) break
      events[index] = events[child]
      index = child
    }
    events[index] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at
}

/** Resolves when all promises have settled: their queue is empty before the event loop comes to setImmediate. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
