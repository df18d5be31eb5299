import type { Cancel, VirtualClock } from './clock.ts'
import type { SimulatedProcess } from './process.ts'

/** What reaches the receiver in place of one message: now, or after a while. */
export interface Arrival<T> {
  message: T
  afterMs: number
}

export interface StreamParts<T> {
  clock: VirtualClock
  sender: SimulatedProcess
  receiver: SimulatedProcess
  /** Milliseconds that the next message takes. */
  latency: () => number
  receive: (message: T) => void
  /** A copy with memory of its own: what serialisation does. */
  copy: (message: T) => T
  /** What the trace says of a message. */
  describe: (message: T) => string | undefined
  trace: (what: string) => void
  /** Meddles with a message at the boundary. */
  meddle: (message: T) => Arrival<T>[]
}

/** A sender waits when so many messages are on the way. */
const WINDOW = 4

/** One direction of one call: in order and without loss for as long as it holds. */
export class Stream<T> {
  readonly #parts: StreamParts<T>
  readonly #onTheWay: { message: T; at: number }[] = []
  #lastArrival = 0
  #stalled = false
  /** The receiver takes nothing for now. */
  #paused = false
  #broken = false
  #next: Cancel = () => undefined
  #drained: (() => void)[] = []

  constructor(parts: StreamParts<T>) {
    this.#parts = parts
  }

  /** Messages that the network has and the receiver has not. */
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

  /** Settles when the sender may send more; when the stream breaks, too. */
  drained(): Promise<void> {
    if (this.#broken || this.#onTheWay.length < WINDOW) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  /** Nothing arrives until `flow`. */
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

  /** What is on the way is lost, and whatever is sent. */
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
