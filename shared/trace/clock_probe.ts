import { ProtocolError } from '../kit/errors.ts'
import type { Span } from './span.ts'
import { ClockOffset } from './clock_offset.ts'

/** Seconds between two questions. */
const INTERVAL = 2
/**
 * Number of first questions that are asked without a pause: their answers may be slow, since much else is going on, and one of several is likely
 * to be quick.
 */
const FIRST = 8

/**
 * The schedule of questions for another process's time, and the estimate from its answers. Only one question is open at a time: a process that
 * hangs is not asked again before it has answered, so a late answer is never taken for the answer to another question. All times are in seconds.
 */
export class ClockProbe {
  readonly #offset = new ClockOffset()
  #asked: number | undefined
  #next = Number.NEGATIVE_INFINITY

  /** Seconds by which the other clock is ahead; undefined before the first answer. */
  get ahead(): number | undefined {
    return this.#offset.ahead
  }

  /** Converts a span from the other clock to this one; undefined before the first answer. */
  spanHere(span: Span): Span | undefined {
    const { ahead } = this
    return ahead === undefined ? undefined : { ...span, begin: span.begin - ahead, end: span.end - ahead }
  }

  /**
   * Decides whether to ask now.
   * @param now time by this clock
   * @returns `now`, to be sent with the question; undefined if it is not time for a question
   */
  ask(now: number): number | undefined {
    if (this.#asked !== undefined || now < this.#next) return undefined
    this.#asked = now
    return now
  }

  /**
   * Takes an answer.
   * @param sent time that was sent with the question
   * @param clock time of the other process
   * @param now time by this clock
   * @throws ProtocolError if no question with this time is open
   */
  answered({ sent, clock }: { sent: number; clock: number }, now: number): void {
    if (this.#asked !== sent) throw new ProtocolError('a clock reading that was not asked for')
    this.#asked = undefined
    this.#offset.add(sent, now, clock)
    this.#next = this.#offset.readings < FIRST ? now : sent + INTERVAL
  }
}
