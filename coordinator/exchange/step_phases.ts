import type { SpanObserver } from '../../shared/trace/span.ts'

/** What the coordinator, or its reducers, do in a step; the rest of the step they wait for lanes. */
export type StepPhase = 'reduce' | 'adam' | 'broadcast'

/** Seconds of a step that the coordinator spent itself. */
export type PhaseSeconds = Record<StepPhase, number>

/** Seconds of a step by what they went to. */
export interface StepSplit extends PhaseSeconds {
  /** Waiting for lanes; with --single-node, computing them. */
  lanes: number
}

/** @param seconds of the whole step */
export function splitOf(seconds: number, phases: PhaseSeconds): StepSplit {
  return { lanes: Math.max(0, seconds - phases.reduce - phases.adam - phases.broadcast), ...phases }
}

/** Of several who worked side by side, the phases of the one that worked longest: the step waited for it. */
export function slowestOf(phases: readonly PhaseSeconds[]): PhaseSeconds {
  const total = ({ reduce, adam, broadcast }: PhaseSeconds): number => reduce + adam + broadcast
  return phases.reduce((slowest, each) => (total(each) > total(slowest) ? each : slowest))
}

/** Measures the phases of one step, from its beginning. A phase that runs inside another one is taken off it. */
export class StepPhases {
  readonly #now: () => number
  readonly #onSpan: SpanObserver
  readonly #step: number
  readonly seconds: PhaseSeconds = { reduce: 0, adam: 0, broadcast: 0 }
  #inner = 0
  #depth = 0
  #waitingSince: number

  /** @param now seconds on a clock that only goes forward */
  constructor(step: number, now: () => number, onSpan: SpanObserver = () => undefined) {
    this.#step = step
    this.#now = now
    this.#onSpan = onSpan
    this.#waitingSince = now()
  }

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
