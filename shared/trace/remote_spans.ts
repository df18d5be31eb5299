import { ClockProbe } from './clock_probe.ts'
import type { Span, SpanObserver } from './span.ts'

export interface RemoteSpansParts {
  /** Seconds on this process's clock. */
  now: () => number
  /** Asks the other process for its time. @param sent what the answer must come with */
  ask: (sent: number) => void
  /** Is told of spans, by this clock; left out where the run is not traced: the other process is then never asked. */
  onSpan?: SpanObserver
}

/** Spans of another process, brought onto this one's clock. What comes before the other clock is known is left out. */
export class RemoteSpans {
  readonly #parts: RemoteSpansParts
  readonly #probe = new ClockProbe()

  constructor(parts: RemoteSpansParts) {
    this.#parts = parts
  }

  /** Asks for the other process's time, where it is time to. */
  probe(): void {
    const { now, ask, onSpan } = this.#parts
    const sent = onSpan === undefined ? undefined : this.#probe.ask(now())
    if (sent !== undefined) ask(sent)
  }

  /** Takes the answer. @throws ProtocolError for an answer to no question */
  answered(answer: { sent: number; clock: number }): void {
    this.#probe.answered(answer, this.#parts.now())
    this.probe()
  }

  /** Takes spans by the other clock. */
  take(spans: readonly Span[]): void {
    for (const span of spans) {
      const here = this.#probe.spanHere(span)
      if (here !== undefined) this.#parts.onSpan?.(here)
    }
  }

  /** Takes what has begun by the other clock, and ends here and now. */
  takeEnding({ begin, ...span }: Omit<Span, 'end'>): void {
    const end = this.#parts.now()
    const { ahead } = this.#probe
    if (ahead !== undefined) this.#parts.onSpan?.({ ...span, begin: Math.min(begin - ahead, end), end })
  }
}
