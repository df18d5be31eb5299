/** What the coordinator, or its reducers, do in a step; the rest of the step they wait for lanes. */
export type StepPhase = 'reduce' | 'optimizer' | 'broadcast'

/** Seconds of a step that the coordinator spent itself. */
export type PhaseSeconds = Record<StepPhase, number>

/** Seconds of a step by what they went to. */
export interface StepSplit extends PhaseSeconds {
  /** Waiting for lanes; with --single-node, computing them. */
  lanes: number
}

export const NO_PHASES: Readonly<PhaseSeconds> = { reduce: 0, optimizer: 0, broadcast: 0 }

/** @param seconds of the whole step */
export function splitOf(seconds: number, phases: PhaseSeconds): StepSplit {
  return { lanes: Math.max(0, seconds - totalOf(phases)), ...phases }
}

export function sumOfPhases(a: PhaseSeconds, b: PhaseSeconds): PhaseSeconds {
  return { reduce: a.reduce + b.reduce, optimizer: a.optimizer + b.optimizer, broadcast: a.broadcast + b.broadcast }
}

/** The phases of the one that worked longest of several that worked side by side: the step waited for it. */
export function slowestOf(phases: readonly PhaseSeconds[]): PhaseSeconds {
  return phases.reduce((slowest, each) => (totalOf(each) > totalOf(slowest) ? each : slowest))
}

function totalOf({ reduce, optimizer, broadcast }: PhaseSeconds): number {
  return reduce + optimizer + broadcast
}
