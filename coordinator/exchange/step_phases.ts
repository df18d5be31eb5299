import type { SpanObserver } from '../../shared/trace/span.ts'
import { NO_PHASES, type PhaseSeconds, type StepPhase } from '../contract/step_split.ts'

/** Measures the phases of one step, from its beginning. The time of a nested phase does not count for the phase around it. */
export class StepPhases {
  readonly #now: () => number
  readonly #onSpan: SpanObserver
  readonly #step: number
  readonly seconds: PhaseSeconds = { ...NO_PHASES }
  #inner = 0
  #depth = 0
  #waitingSince: number

  /** @param now seconds on a monotonic clock */
  constructor(step: number, now: () => number, onSpan: SpanObserver = () => undefined) {
    this.#step = step
    this.#now = now
    this.#onSpan = onSpan
    this.#waitingSince = now()
  }

  /** Runs an action, and adds its seconds to a phase. */
  measure<T>(phase: StepPhase, action: () => T): T {
    const innerBefore = this.#inner
    this.#inner = 0
    const begin = this.#now()
    if (this.#depth++ === 0) this.#onSpan({ name: 'lanes wait', begin: this.#waitingSince, end: begin, step: this.#step })
    try {
      return action()
    } finally {
      const end = this.#now()
      if (--this.#depth === 0) this.#waitingSince = end
      this.seconds[phase] += end - begin - this.#inner
      this.#inner = innerBefore + (end - begin)
      this.#onSpan({ name: phase, begin, end, step: this.#step })
    }
  }
}
