import { type Span, MAX_SPANS } from './span.ts'

/** A buffer of spans on their way to the coordinator: they are sent together rather than one by one. */
export class SpanOutbox {
  readonly #send: (spans: Span[]) => void
  #spans: Span[] = []

  constructor(send: (spans: Span[]) => void) {
    this.#send = send
  }

  /** Adds a span; sends all that wait once they fill a message. */
  add(span: Span): void {
    this.#spans.push(span)
    if (this.#spans.length >= MAX_SPANS) this.flush()
  }

  /** Sends the spans that wait, if any. */
  flush(): void {
    if (this.#spans.length === 0) return
    const spans = this.#spans
    this.#spans = []
    this.#send(spans)
  }
}
