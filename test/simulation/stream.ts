import type { Cancel, VirtualClock } from './clock.ts'
import type { SimulatedProcess } from './process.ts'

/** A message that reaches the receiver in place of one that was sent: now, or after a while. */
export interface Arrival<T> {
  message: T
  afterMs: number
}

/** The end of a stream, announced by the peer after its messages. */
export type Ending = { message: 'end' } | { message: 'aborted'; reason: string }

export interface StreamParts<T> {
  clock: VirtualClock
  sender: SimulatedProcess
  receiver: SimulatedProcess
  /** Milliseconds that the next message takes. */
  latency: () => number
  receive: (message: T) => void
  /** Makes a copy with memory of its own, as serialisation does. */
  copy: (message: T) => T
  /** Describes a message for the trace; undefined to leave it out. */
  describe: (message: T) => string | undefined
  trace: (what: string) => void
  /** Meddles with a message where it is handed over. */
  meddle: (message: T) => Arrival<T>[]
}

/** Number of messages under way from which on a sender waits. */
const WINDOW = 4

/** One direction of one call: messages arrive in order and without loss until it breaks. */
export class Stream<T> {
  readonly #parts: StreamParts<T>
  readonly #onTheWay: { message: T; at: number }[] = []
  #lastArrival = 0
  #stalled = false
  /** True while the receiver takes nothing. */
  #paused = false
  #broken = false
  #next: Cancel = () => undefined
  #drained: (() => void)[] = []

  constructor(parts: StreamParts<T>) {
    this.#parts = parts
  }

  /** Number of messages that were sent and have not arrived. */
  get backlog(): number {
    return this.#onTheWay.length
  }

  send(message: T): void {
    if (this.#broken) return
    const { clock, latency } = this.#parts
    this.#lastArrival = Math.max(this.#lastArrival, clock.now + latency())
    this.#onTheWay.push({ message, at: this.#lastArrival })
    if (this.#onTheWay.length === 1) this.#awaitNext()
  }

  /** Resolves when the sender may send more, or when the stream breaks. */
  drained(): Promise<void> {
    if (this.#broken || this.#onTheWay.length < WINDOW) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  /** Stops all arrivals until `flow`. */
  stall(): void {
    this.#stalled = true
    this.#next()
  }

  flow(): void {
    if (!this.#stalled) return
    this.#stalled = false
    this.#awaitNext()
  }

  pause(): void {
    this.#paused = true
    this.#next()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#awaitNext()
  }

  /** Breaks the stream: messages under way are lost, and all that are sent later. */
  break(): void {
    this.#broken = true
    this.#next()
    this.#onTheWay.length = 0
    this.#wakeSender()
  }

  #awaitNext(): void {
    const [first] = this.#onTheWay
    if (first === undefined || this.#stalled || this.#paused || this.#broken) return
    this.#next()
    this.#next = this.#parts.clock.after(first.at - this.#parts.clock.now, () => {
      this.#onTheWay.shift()
      this.#arrive(first.message)
      if (this.#onTheWay.length < WINDOW) this.#wakeSender()
      this.#awaitNext()
    })
  }

  #arrive(message: T): void {
    const { clock, receiver, meddle } = this.#parts
    const hand = (each: T): void => receiver.run(() => this.#hand(each))
    for (const { message: each, afterMs } of meddle(message)) {
      if (afterMs === 0) hand(each)
      else clock.after(afterMs, () => hand(each))
    }
  }

  #hand(message: T): void {
    if (this.#broken) return
    const { copy, receive, describe, trace } = this.#parts
    const what = describe(message)
    if (what !== undefined) trace(what)
    receive(copy(message))
  }

  #wakeSender(): void {
    const waiting = this.#drained
    this.#drained = []
    for (const resolve of waiting) this.#parts.sender.run(resolve)
  }
}
