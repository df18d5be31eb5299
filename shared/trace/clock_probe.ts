import { ProtocolError } from '../kit/errors.ts'
import type { Span } from './span.ts'
import { ClockOffset } from './clock_offset.ts'

/** Between two questions, in seconds. */
const INTERVAL = 2
/** The first answers come while much else does: some more at once, so that a quick one is among them. */
const FIRST = 8

/**
 * When to ask another process for its time, and what its answers tell. One question at a time: a process that hangs is not asked
 * again before it has answered, so that a late answer is never taken for one to another question. All times in seconds.
 */
export class ClockProbe {
  readonly #offset = new ClockOffset()
  #asked: number | undefined
  #next = Number.NEGATIVE_INFINITY

  /** Seconds that the other clock is ahead; undefined before the first answer. */
  get ahead(): number | undefined {
    return this.#offset.ahead
  }

  /** A span by the other clock, by this one; undefined before the first answer. */
  spanHere(span: Span): Span | undefined {
    const { ahead } = this
    return ahead === undefined ? undefined : { ...span, begin: span.begin - ahead, end: span.end - ahead }
  }

  /** @returns the time to ask with, where it is time for a question */
  ask(now: number): number | undefined {
    if (this.#asked !== undefined || now < this.#next) return undefined
    this.#asked = now
    return now
  }

  /**
   * @param sent what was asked with
   * @param clock the other process's time
   * @throws ProtocolError for an answer to no question
   */
  answered({ sent, clock }: { sent: number; clock: number }, now: number): void {
    if (this.#asked !== sent) throw new ProtocolError('a clock reading that was not asked for')
    this.#asked = undefined
    this.#offset.add(sent, now, clock)
    this.#next = this.#offset.readings < FIRST ? now : sent + INTERVAL
  }
}
