import type { InjectedFault } from './faults.ts'
import type { Loss, Round, Timeline } from './timeline.ts'

/** Time that a death may cost, beyond the work that was lost with it. */
const WORKER_SECONDS = 1
const COORDINATOR_SECONDS = 5

/** The cost of one death, and what it may cost, both in seconds. */
export interface Recovery {
  victim: string
  /** Time of the death: milliseconds of the system's clock. */
  at: number
  seconds: number
  allowance: number
  /** Lanes or test blocks that the worker held; steps since the coordinator's last checkpoint. */
  lost: number
  /** True if no other fault was going on at the same time, whose cost would be in `seconds` too. */
  alone: boolean
}

/** Seconds of calm rounds: medians over the rounds with all workers and without faults. */
export interface Calm {
  step: number
  evaluation: number
  /** Time from the end of an evaluation to the next step, for history and plots. */
  between: number
}

/**
 * Measures the calm rounds of a run.
 * @param workers number of workers of the cluster: rounds with fewer are not calm
 * @returns medians; over all rounds of a kind if none of them was calm
 */
export function calmOf({ rounds }: Timeline, faults: readonly InjectedFault[], workers: number): Calm {
  const calm = rounds.filter((round) => round.workers >= workers && !faults.some((fault) => overlaps(fault, round)))
  const of = (kind: Round['kind']): number => {
    const undisturbed = calm.filter((round) => round.kind === kind)
    return median((undisturbed.length > 0 ? undisturbed : rounds.filter((round) => round.kind === kind)).map(secondsOf))
  }
  const between = rounds.flatMap(({ kind, life, end }, index) => {
    const next = rounds.at(index + 1)
    return kind === 'evaluation' && next?.life === life ? [(next.begin - end) / 1000] : []
  })
  return { step: of('step'), evaluation: of('evaluation'), between: between.length === 0 ? 0 : median(between) }
}

/**
 * The cost of each worker's death (kill -9): the time by which the round in which it died, or the next one if it died between
 * two, took longer than a calm round; 0 at least. Its allowance is the time of the lanes that the worker held (those that were
 * dealt again because of it) and one second; the time of a lane is what it takes a worker in a calm round.
 * Deaths in a round that never ended, since the coordinator died in it, are left out: they cost nothing more.
 */
export function workerDeaths(timeline: Timeline, faults: readonly InjectedFault[], cluster: { workers: number; lanes: number; blocks: number }): Recovery[] {
  const calm = calmOf(timeline, faults, cluster.workers)
  return faults.flatMap((fault) => {
    if (fault.kind !== 'kill') return []
    const round = timeline.rounds.find(({ end }) => end >= fault.at)
    if (round === undefined || faults.some(({ kind, at }) => kind === 'killCoordinator' && at >= fault.at && at <= round.end)) return []
    const loss = lossOf(timeline, faults, fault)
    const held = loss === undefined || loss.at > round.end ? 0 : loss.units
    const unitSeconds = (calm[round.kind] * cluster.workers) / (round.kind === 'step' ? cluster.lanes : cluster.blocks)
    return [{
      victim: fault.victim,
      at: fault.at,
      seconds: Math.max(0, secondsOf(round) - calm[round.kind]),
      allowance: held * unitSeconds + WORKER_SECONDS,
      lost: held,
      alone: !faults.some((other) => other !== fault && overlaps(other, round)),
    }]
  })
}

/**
 * The cost of each death of the coordinator: the time from the death to the end of the first round beyond the point where it
 * died, which is the round after the last one that had ended before. Its allowance is five seconds and the work since the last
 * checkpoint, which has to be done again: the rounds since then, and the part of the round in progress that was done. Time that
 * other faults added to this work is not counted: a disturbed round counts as a calm one at most.
 */
export function coordinatorDeaths(timeline: Timeline, faults: readonly InjectedFault[], workers: number): Recovery[] {
  const calm = calmOf(timeline, faults, workers)
  return faults.flatMap((fault) => {
    if (fault.kind !== 'killCoordinator') return []
    const before = timeline.rounds.filter(({ end }) => end <= fault.at)
    const last = before.at(-1)
    const beyond = timeline.rounds.find((round) => round.begin >= fault.at && isBeyond(round, last))
    if (last === undefined || beyond === undefined) return []
    const checkpoint = timeline.resumes.find(({ at }) => at >= fault.at)?.step ?? last.step
    const redone = before.filter(({ life, step }) => life === last.life && step > checkpoint)
    const begun = Math.min((fault.at - last.end) / 1000, calm[beyond.kind])
    const work = redone.reduce((sum, round) => sum + (faults.some((other) => overlaps(other, round)) ? Math.min(secondsOf(round), calm[round.kind]) : secondsOf(round)), begun)
    return [{
      victim: fault.victim,
      at: fault.at,
      seconds: (beyond.end - fault.at) / 1000,
      allowance: work + COORDINATOR_SECONDS,
      lost: redone.length,
      alone: !faults.some((other) => other !== fault && other.at <= beyond.end && other.until >= fault.at),
    }]
  })
}

/**
 * Seconds by which the rounds of each fault took longer than calm ones; faults in the same round share the loss equally. A
 * coordinator's death costs the time of its recovery, less one calm step, which that time includes.
 */
export function timeLost(timeline: Timeline, faults: readonly InjectedFault[], workers: number): Map<InjectedFault, number> {
  const calm = calmOf(timeline, faults, workers)
  const lost = new Map(faults.map((fault) => [fault, 0]))
  const ofWorkers = faults.filter(({ kind }) => kind !== 'killCoordinator')
  for (const round of timeline.rounds) {
    const guilty = ofWorkers.filter((fault) => overlaps(fault, round))
    for (const fault of guilty) lost.set(fault, (lost.get(fault) ?? 0) + Math.max(0, secondsOf(round) - calm[round.kind]) / guilty.length)
  }
  for (const { at, seconds } of coordinatorDeaths(timeline, faults, workers)) {
    const fault = faults.find((candidate) => candidate.kind === 'killCoordinator' && candidate.at === at)
    if (fault !== undefined) lost.set(fault, Math.max(0, seconds - calm.step))
  }
  return lost
}

/** Seconds from the beginning of a fault until its worker was lost; undefined if the fault was not noticed. */
export function noticedAfter(timeline: Timeline, faults: readonly InjectedFault[], fault: InjectedFault): number | undefined {
  const loss = lossOf(timeline, faults, fault)
  return loss === undefined ? undefined : (loss.at - fault.at) / 1000
}

/** The loss of a fault's victim: the first one since then, unless the victim joined or was struck again before. */
function lossOf({ losses, joins }: Timeline, faults: readonly InjectedFault[], { victim, at, until }: InjectedFault): Loss | undefined {
  const loss = losses.find((candidate) => candidate.worker === victim && candidate.at >= at)
  if (loss === undefined) return undefined
  const rejoined = joins.some((join) => join.worker === victim && join.at > until && join.at < loss.at)
  const struckAgain = faults.some((other) => other.victim === victim && other.at > at && other.at <= loss.at)
  return rejoined || struckAgain ? undefined : loss
}

function isBeyond(round: Round, last: Round | undefined): boolean {
  if (last === undefined) return true
  return round.step > last.step || (round.step === last.step && round.kind === 'evaluation' && last.kind === 'step')
}

function overlaps(fault: InjectedFault, round: Round): boolean {
  return fault.at <= round.end && fault.until >= round.begin
}

export function secondsOf(round: Round): number {
  return (round.end - round.begin) / 1000
}

/** The median; NaN if there are no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2
}
