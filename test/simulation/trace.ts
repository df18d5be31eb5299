import { createHash } from 'node:crypto'
import type { VirtualClock } from './clock.ts'

/** A record of everything that happened, in order. Two runs that did the same have the same hash. */
export class Trace {
  readonly #clock: VirtualClock
  readonly #hash = createHash('sha256')
  readonly #print: ((line: string) => void) | undefined
  #lines: string[] = []

  /** @param print called with each line as it comes. */
  constructor(clock: VirtualClock, print: ((line: string) => void) | undefined) {
    this.#clock = clock
    this.#print = print
  }

  add(who: string, what: string): void {
    const line = `${this.#clock.now.toFixed(3).padStart(11)}  ${who.padEnd(12)} ${what}`
    this.#lines.push(line)
    if (this.#lines.length === 1000) this.#absorb()
    this.#print?.(line)
  }

  /** Ends the trace, and returns the SHA-256 of its lines. */
  hash(): string {
    this.#absorb()
    return this.#hash.digest('hex')
  }

  #absorb(): void {
    this.#hash.update(this.#lines.join('\n'))
    this.#lines = []
  }
}
