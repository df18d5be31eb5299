import type { HistoryLine } from '../../shared/run_folder/schemas.ts'
import type { Sweep, SweepRun, SweepTrial } from '../../shared/run_folder/sweep.ts'
import type { Trial } from './trials.ts'

/** What is known of one run: a trial with one of the seeds. */
export interface RunResult {
  seed: number
  /** Folder of the run, relative to the sweep's. */
  folder: string
  /** `finished`: it has been trained to its trial's end. */
  state: 'finished' | 'failed' | 'open'
  history: readonly HistoryLine[]
  reason?: string
}

type Measure = Sweep['measure']

/** Ranks of the states: those that have been trained to their end come first. */
const RANKS: Readonly<Record<SweepTrial['state'], number>> = { finished: 0, open: 1, halted: 2, failed: 3 }

/**
 * Returns how good a trial is after so many epochs, as the mean over its runs: higher is better. A run that stopped earlier has the figure of its last epoch.
 * @returns undefined if a run failed or has no epoch, or if a loss is not finite: such a trial is worse than any other
 */
export function scoreAfter(epochs: number, runs: readonly RunResult[], measure: Measure): number | undefined {
  if (runs.some(({ state }) => state === 'failed')) return undefined
  const values = runs.map(({ history }) => valueOf(history.findLast(({ epoch }) => epoch <= epochs), measure))
  const { mean } = momentsOf(values)
  return mean === null ? undefined : measure === 'loss' ? -mean : mean
}

/** Sums up what is known of a trial. @param isHalted true if others were better after a rung */
export function trialResult({ number, settings }: Trial, runs: readonly RunResult[], measure: Measure, isHalted: boolean): SweepTrial {
  const begun = runs.filter(({ history }) => history.length > 0)
  return {
    number, settings,
    state: runs.some(({ state }) => state === 'failed') ? 'failed' : isHalted ? 'halted' : runs.every(({ state }) => state === 'finished') ? 'finished' : 'open',
    epochs: runs.reduce((most, { history }) => Math.max(most, history.at(-1)?.epoch ?? 0), 0),
    ...momentsOf(begun.map(({ history }) => valueOf(history.at(-1), measure))),
    seconds: runs.reduce((sum, { history }) => sum + secondsOf(history), 0),
    runs: runs.map((run): SweepRun => {
      const last = run.history.at(-1)
      return {
        seed: run.seed, folder: run.folder, state: run.state, epochs: last?.epoch ?? 0, accuracy: finite(last?.testAccuracy), loss: finite(last?.testLoss), seconds: secondsOf(run.history),
        ...(run.reason === undefined ? {} : { reason: run.reason }),
      }
    }),
  }
}

/** Sorts trials, the best first; of those that were halted, those that came further. */
export function ranked(trials: readonly SweepTrial[], measure: Measure): SweepTrial[] {
  const score = ({ mean }: SweepTrial): number => (mean === null ? -Infinity : measure === 'loss' ? -mean : mean)
  return [...trials].sort((a, b) => RANKS[a.state] - RANKS[b.state] || (a.state === 'halted' ? b.epochs - a.epochs : 0) || compare(score(b), score(a)) || a.number - b.number)
}

/** The best of the trials that were trained to their end. @param trials as `ranked` returns them */
export function bestOf(trials: readonly SweepTrial[]): SweepTrial | undefined {
  const [first] = trials
  return first?.state === 'finished' && first.mean !== null ? first : undefined
}

/** Mean and standard deviation, which one value does not have. */
function momentsOf(values: readonly number[]): { mean: number | null; spread: number | null } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  if (!Number.isFinite(mean)) return { mean: null, spread: null }
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return { mean, spread: values.length < 2 ? null : Math.sqrt(variance) }
}

function valueOf(line: HistoryLine | undefined, measure: Measure): number {
  return (measure === 'loss' ? line?.testLoss : line?.testAccuracy) ?? Number.NaN
}

function secondsOf(history: readonly HistoryLine[]): number {
  return history.reduce((sum, { seconds }) => sum + seconds, 0)
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null
}

/** Compares numbers, of which some may be infinite. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
