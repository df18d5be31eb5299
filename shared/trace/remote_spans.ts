import { ClockProbe } from './clock_probe.ts'
import type { Span, SpanObserver } from './span.ts'

export interface RemoteSpansParts {
  /** Clock of this process, in seconds. */
  now: () => number
  /**
   * Asks the other process for its time.
   * @param sent time that the answer must repeat
   */
  ask: (sent: number) => void
  /** Receives spans by this clock; undefined if the run is not traced, and the other process is then never asked. */
  onSpan?: SpanObserver
}

/** Conversion of another process's spans to this process's clock. Spans that arrive before the other clock is known are dropped. */
export class RemoteSpans {
  readonly #parts: RemoteSpansParts
  readonly #probe = new ClockProbe()

  constructor(parts: RemoteSpansParts) {
    this.#parts = parts
  }

  /** Asks for the other process's time if a question is due. */
  probe(): void {
    const { now, ask, onSpan } = this.#parts
    const sent = onSpan === undefined ? undefined : this.#probe.ask(now())
    if (sent !== undefined) ask(sent)
  }

  /**
   * Takes the answer to a question.
   * @throws ProtocolError if no such question is open
   */
  answered(answer: { sent: number; clock: number }): void {
    this.#probe.answered(answer, this.#parts.now())
    this.probe()
  }

  /** Takes spans by the other clock and passes them on. */
  take(spans: readonly Span[]): void {
    for (const span of spans) {
      const here = this.#probe.spanHere(span)
      if (here !== undefined) this.#parts.onSpan?.(here)
    }
  }

  /** Takes a span that began by the other clock and ends now, in this process. */
  takeEnding({ begin, ...span }: Omit<Span, 'end'>): void {
    const end = this.#parts.now()
    const { ahead } = this.#probe
    if (ahead !== undefined) this.#parts.onSpan?.({ ...span, begin: Math.min(begin - ahead, end), end })
  }
}
