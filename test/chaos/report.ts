import { faultKinds, type FaultKind, type InjectedFault } from './faults.ts'
import type { LyingKind } from './liars.ts'
import { calmOf, coordinatorDeaths, median, noticedAfter, timeLost, workerDeaths, type Recovery } from './recovery.ts'
import type { Timeline } from './timeline.ts'

/** The report of a chaos run, chaos.json in its folder. Times are in seconds, except in `injected`: milliseconds since 1970. */
export interface ChaosReport {
  seed: number
  engine: string
  epochs: number
  digest: string
  /** Differences from the undisturbed run; there must be none. */
  differences: string[]
  faults: KindReport[]
  /** Ways of lying that a worker tried, and whether the run's events name it. */
  liars: { kind: LyingKind; named: boolean }[]
  lanes: LaneReport
  seconds: { undisturbedSingleNode: number; disturbed: number; calm: number; lost: number }
  calm: { step: number; evaluation: number; between: number }
  recovery: { workerDeath: RecoveryReport; coordinatorDeath: RecoveryReport }
  injected: InjectedFault[]
}

interface KindReport {
  kind: FaultKind
  injected: number
  /** Number of these faults that made the coordinator lose a worker. */
  noticed: number
  noticedAfterMedian: number | null
  noticedAfterWorst: number | null
  secondsLost: number
}

/** Lanes of training, and blocks of the test set. */
interface LaneReport {
  /** Units of all steps and evaluations of the undisturbed run. */
  needed: number
  /** Units computed in rounds that ended: those needed, and those that a restarted coordinator had done again. */
  computed: number
  redoneAfterRestart: number
  /** Units dealt again because a worker was lost. */
  dealtAgain: number
  /** Units of stragglers that were given to another worker too. */
  takenOver: number
  /** Units of results that came too late, or twice. */
  dropped: number
}

interface RecoveryReport {
  deaths: number
  /** Number of deaths without another fault at the same time: only these are measured. */
  measured: number
  median: number | null
  worst: number | null
  /** Cost of the measured death that came closest to its allowance, or exceeded it most. */
  closest: { seconds: number; allowance: number } | null
  within: boolean
  each: Recovery[]
}

export interface RunFacts {
  seed: number
  engine: string
  epochs: number
  stepsPerEpoch: number
  workers: number
  lanes: number
  blocks: number
  digest: string
  differences: string[]
  liars: ChaosReport['liars']
  undisturbedSeconds: number
}

export function reportOf(facts: RunFacts, timeline: Timeline, faults: readonly InjectedFault[]): ChaosReport {
  const { seed, engine, epochs, digest, differences, liars, workers, lanes, blocks } = facts
  const calm = calmOf(timeline, faults, workers)
  const lost = timeLost(timeline, faults, workers)
  const disturbed = timeline.rounds.length === 0 ? 0 : (timeline.end - timeline.rounds[0].begin) / 1000
  const waitedFor = timeline.evaluationsBeside > 0 ? 1 : epochs
  const calmSeconds = epochs * facts.stepsPerEpoch * calm.step + waitedFor * (calm.evaluation + calm.between)
  const needed = epochs * (facts.stepsPerEpoch * lanes + blocks)
  const inRounds = timeline.rounds.reduce((sum, { kind }) => sum + (kind === 'step' ? lanes : blocks), timeline.evaluationsBeside * blocks)
  return {
    seed, engine, epochs, digest, differences, liars,
    faults: faultKinds.map((kind) => kindReport(kind, timeline, faults, lost)),
    lanes: {
      needed,
      computed: inRounds,
      redoneAfterRestart: inRounds - needed,
      dealtAgain: timeline.losses.reduce((sum, { units }) => sum + units, 0),
      takenOver: timeline.takenOver,
      dropped: timeline.dropped,
    },
    seconds: { undisturbedSingleNode: facts.undisturbedSeconds, disturbed, calm: calmSeconds, lost: disturbed - calmSeconds },
    calm,
    recovery: {
      workerDeath: recoveryReport(workerDeaths(timeline, faults, { workers, lanes, blocks })),
      coordinatorDeath: recoveryReport(coordinatorDeaths(timeline, faults, workers)),
    },
    injected: [...faults],
  }
}

function kindReport(kind: FaultKind, timeline: Timeline, all: readonly InjectedFault[], lost: ReadonlyMap<InjectedFault, number>): KindReport {
  const faults = all.filter((fault) => fault.kind === kind)
  const noticed = faults.flatMap((fault) => noticedAfter(timeline, all, fault) ?? [])
  return {
    kind,
    injected: faults.length,
    noticed: noticed.length,
    noticedAfterMedian: noticed.length === 0 ? null : median(noticed),
    noticedAfterWorst: noticed.length === 0 ? null : Math.max(...noticed),
    secondsLost: faults.reduce((sum, fault) => sum + (lost.get(fault) ?? 0), 0),
  }
}

function recoveryReport(each: Recovery[]): RecoveryReport {
  const measured = each.filter(({ alone }) => alone)
  const seconds = measured.map((recovery) => recovery.seconds)
  const [closest] = measured.toSorted((a, b) => b.seconds / b.allowance - a.seconds / a.allowance)
  return {
    deaths: each.length,
    measured: measured.length,
    median: seconds.length === 0 ? null : median(seconds),
    worst: seconds.length === 0 ? null : Math.max(...seconds),
    closest: closest === undefined ? null : { seconds: closest.seconds, allowance: closest.allowance },
    within: measured.every(({ seconds: taken, allowance }) => taken < allowance),
    each,
  }
}

const names: Record<FaultKind, string> = {
  kill: 'worker killed (-9), started again',
  leave: 'worker told to leave (SIGTERM), started again',
  hang: 'worker stopped (-STOP, later -CONT)',
  hangCompute: 'its compute process stopped alone',
  cut: 'connections reset, new ones refused',
  partition: 'partition: every byte held back',
  killCoordinator: 'coordinator killed (-9), resumed',
}

const lies: Record<LyingKind, string> = {
  flipped: 'one bit of a sum is another one',
  huge: 'one number of a sum is huge',
  'not finite': 'one number of a sum is NaN',
  lazy: 'a sum is made up',
  weights: 'one bit of its weights is another one',
  'forged root': 'the sum of its lanes is passed off as that of all',
  unfinished: 'a changed chunk of a sum, and no more of it',
}

/** The report as tables in Markdown, which are readable on a terminal too. */
export function describeReport(report: ChaosReport): string {
  const { lanes, seconds, recovery, calm } = report
  const s = (value: number | null): string => (value === null ? '-' : `${value.toFixed(2)} s`)
  const deaths = (name: string, allowed: string, { deaths: count, measured, median: middle, worst, closest, within }: RecoveryReport): string[] => [
    name, String(count), String(measured), s(middle), s(worst), closest === null ? '-' : `${s(closest.seconds)} of ${s(closest.allowance)}`, `${allowed}: ${measured === 0 ? 'not measured' : within ? 'held' : 'NOT HELD'}`,
  ]
  return [
    table(
      ['fault', 'injected', 'noticed', 'after (median)', 'after (worst)', 'time lost'],
      report.faults.map((kind) => [names[kind.kind], String(kind.injected), kind.kind === 'killCoordinator' ? '-' : String(kind.noticed), s(kind.noticedAfterMedian), s(kind.noticedAfterWorst), s(kind.secondsLost)]),
    ),
    table(
      ['recovery from the death of', 'deaths', 'measured alone', 'median', 'worst', 'closest to its allowance', 'allowance'],
      [deaths('a worker', 'lanes held + 1 s', recovery.workerDeath), deaths('the coordinator', 'work since checkpoint + 5 s', recovery.coordinatorDeath)],
    ),
    table(
      ['lanes and test blocks', ''],
      [
        ['needed', String(lanes.needed)],
        ['computed in rounds that ended', String(lanes.computed)],
        ['of these again, after a restart', String(lanes.redoneAfterRestart)],
        ['dealt again, after the loss of a worker', String(lanes.dealtAgain)],
        ['taken over from a straggler', String(lanes.takenOver)],
        ['dropped: late, or counted before', String(lanes.dropped)],
      ],
    ),
    `${report.epochs} epochs in ${seconds.disturbed.toFixed(0)} s; without faults about ${seconds.calm.toFixed(0)} s (a calm step takes ${(calm.step * 1000).toFixed(0)} ms), so ${seconds.lost.toFixed(0)} s were lost; in one process ${seconds.undisturbedSingleNode.toFixed(0)} s.`,
    ...(report.liars.length === 0 ? [] : [table(['a worker that lies', 'named'], report.liars.map(({ kind, named }) => [lies[kind], named ? 'yes' : 'NO']))]),
    report.differences.length === 0
      ? `Digest ${report.digest}: that of the undisturbed run, and so are loss, accuracy and images of every epoch.`
      : `DIFFERENT from the undisturbed run:\n${report.differences.map((difference) => `  ${difference}`).join('\n')}`,
  ].join('\n\n')
}

function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column].length)))
  const line = (cells: string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n')
}
