import { type Span, MAX_SPANS } from './span.ts'

/** Spans on their way to the coordinator: together, rather than a message each. */
export class SpanOutbox {
  readonly #send: (spans: Span[]) => void
  #spans: Span[] = []

  constructor(send: (spans: Span[]) => void) {
    this.#send = send
  }

  add(span: Span): void {
    this.#spans.push(span)
    if (this.#spans.length >= MAX_SPANS) this.flush()
  }

  flush(): void {
    if (this.#spans.length === 0) return
    const spans = this.#spans
    this.#spans = []
    this.#send(spans)
  }
}
