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
