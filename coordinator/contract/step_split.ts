/** Work of the coordinator, or of its reducers, in a step; for the rest of the step they wait for lanes. */
export type StepPhase = 'reduce' | 'optimizer' | 'broadcast'

/** Seconds of a step that the coordinator spent in each phase. */
export type PhaseSeconds = Record<StepPhase, number>

/** All seconds of a step, split by activity. */
export interface StepSplit extends PhaseSeconds {
  /** Seconds of waiting for lanes; with --single-node, of computing them. */
  lanes: number
}

export const NO_PHASES: Readonly<PhaseSeconds> = { reduce: 0, optimizer: 0, broadcast: 0 }

/** @param seconds duration of the whole step */
export function splitOf(seconds: number, phases: PhaseSeconds): StepSplit {
  return { lanes: Math.max(0, seconds - totalOf(phases)), ...phases }
}

export function sumOfPhases(a: PhaseSeconds, b: PhaseSeconds): PhaseSeconds {
  return { reduce: a.reduce + b.reduce, optimizer: a.optimizer + b.optimizer, broadcast: a.broadcast + b.broadcast }
}

/** Picks the phases of the reducer that worked longest: the others worked beside it, and the step waited for it. */
export function slowestOf(phases: readonly PhaseSeconds[]): PhaseSeconds {
  return phases.reduce((slowest, each) => (totalOf(each) > totalOf(slowest) ? each : slowest))
}

function totalOf({ reduce, optimizer, broadcast }: PhaseSeconds): number {
  return reduce + optimizer + broadcast
}
