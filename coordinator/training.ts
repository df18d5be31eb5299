import type { LaneReport } from '../shared/lanes/lane_report.ts'
import type { Schedule, StepPosition } from '../shared/lanes/sample_schedule.ts'
import type { TestScore } from '../shared/evaluation/score.ts'
import { whatIsNotFinite } from '../shared/run_folder/run_events.ts'
import type { SpanObserver } from '../shared/trace/span.ts'
import { BackgroundWork } from './background_work.ts'
import { InterruptedError, StoppedWhileWaiting } from './contract/interruptions.ts'
import type { EpochResult, HeldState, Progress } from './contract/progress.ts'
import type { Cluster, StepResult } from './contract/cluster.ts'
import type { Observer } from './contract/events.ts'
import { splitOf } from './contract/step_split.ts'
import { addSkippedStep, addStep, emptySums, scoreOf } from './contract/epoch_sums.ts'

/** Everything the training loop needs from outside. */
export interface TrainingParts {
  cluster: Cluster
  schedule: Schedule
  epochs: number
  /** Returns true if no epoch is trained after this one, by what the epochs before it came to. */
  stopsAfter: (epoch: number) => boolean
  /** Returns the learning rate of an update, by its number from 1. */
  rateOf: (update: number) => number
  /** Reaction to a step whose gradient is not finite: end the run, or skip the step. */
  onNonfinite: 'stop' | 'skip'
  /** Seconds on a monotonic clock. */
  now: () => number
  observe: Observer
  /** Receives spans of steps and evaluations; undefined if the run is not traced. */
  onSpan?: SpanObserver
  /** Returns true once the run is asked to stop, which it does between two steps. */
  stopRequested: () => boolean
  scoreTest: (blocks: Awaited<ReturnType<Cluster['evaluate']>>) => TestScore
  /** Called after each step with the new position of the run. */
  reached: (progress: Progress) => void
  /** Notes the digests of a step that has just been taken, if they are due. Waits only if those of the step before are not noted yet. */
  keepDigests: (at: StepPosition, lanes: readonly LaneReport[]) => Promise<void>
  /** Saves a checkpoint in the background, if one is due. Called between two steps; copies the state that it needs. */
  keepStep: (progress: Progress) => void
  /** Returns true if `keepStep` would save a checkpoint now. */
  keepIsDue: () => boolean
  /** Copies weights and moments, as they are at the moment of the call. */
  hold: () => HeldState
  /**
   * Saves an epoch's result (history, plots, checkpoint) while the next epoch is trained. Calls do not overlap.
   * @param progress position at the beginning of the next epoch
   * @param held snapshot at that position
   */
  keepEpoch: (result: EpochResult, progress: Progress, held: HeldState) => Promise<void>
}

export interface TrainingEnd {
  progress: Progress
  /** Snapshot at `progress`, if training has continued from there; undefined if the current state is that of `progress`. */
  held?: HeldState
  stopped: boolean
  /** Reason for stopping; undefined if the stop was requested. */
  failure?: InterruptedError
  /** Result of the last epoch that this process evaluated. */
  last: EpochResult | undefined
}

/** State of the training loop. */
interface Reached {
  progress: Progress
  /** Result of the last epoch that this process evaluated. */
  last: EpochResult | undefined
  /** The end of an epoch that is not evaluated yet. No later state may be saved: a run resumed from it would lack this epoch in its history, and begins with its evaluation. */
  untested: { progress: Progress; held: HeldState } | undefined
}

/**
 * Trains epochs from the given position until all are done or a stop is requested. Settles when every finished epoch is evaluated and saved; if
 * that was interrupted, the result is the state at the end of the epoch that was not evaluated.
 */
export async function train(parts: TrainingParts, from: Progress): Promise<TrainingEnd> {
  const run: Reached = { progress: from, last: undefined, untested: undefined }
  const keeping = new BackgroundWork()
  try {
    const end = await interruptible(() => trainEpochs(parts, run, keeping))
    const kept = await interruptible(() => keeping.done().then(() => end))
    return { progress: run.progress, ...run.untested, ...end, ...kept, last: run.last }
  } finally {
    // The workers that would finish an evaluation may be gone, so an unfinished one is not waited for.
    if (run.untested === undefined) await keeping.settled()
  }
}

/** Turns an interruption after which the run can be resumed into a result. @throws every other error */
async function interruptible(work: () => Promise<Pick<TrainingEnd, 'stopped' | 'failure'>>): Promise<Pick<TrainingEnd, 'stopped' | 'failure'>> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoppedWhileWaiting) return { stopped: true }
    if (error instanceof InterruptedError) return { stopped: true, failure: error }
    throw error
  }
}

async function trainEpochs(parts: TrainingParts, run: Reached, keeping: BackgroundWork): Promise<{ stopped: boolean }> {
  await parts.cluster.gathered()
  while (run.progress.at.epoch <= parts.epochs && !hasStopped(parts, run.progress.at)) {
    if (!(await trainEpoch(parts, run, keeping))) return { stopped: true }
    await keeping.done()
    const ended = run.progress
    const { epoch, step } = ended.at
    const isLast = epoch === parts.epochs || parts.stopsAfter(epoch)
    const beside = !isLast && parts.cluster.evaluatesBeside
    const testing = test(parts, ended, beside)
    const held = parts.hold()
    const next = { ...ended, at: { epoch: epoch + 1, stepInEpoch: 0, step }, sums: emptySums }
    const keep = async (): Promise<void> => {
      const result = await testing
      run.last = result
      run.untested = undefined
      await parts.keepEpoch(result, next, held)
    }
    run.untested = { progress: ended, held }
    if (!beside) await testing
    keeping.add(keep())
    run.progress = next
  }
  return { stopped: false }
}

/** True if a run stopped early before the epoch that begins at this position. */
function hasStopped({ stopsAfter }: TrainingParts, { epoch, stepInEpoch }: StepPosition): boolean {
  return stepInEpoch === 0 && epoch > 1 && stopsAfter(epoch - 1)
}

/**
 * Trains one epoch: for each batch, the cluster sums the gradients of all lanes and the optimizer takes one step.
 * @returns false if a stop was requested between two steps
 * @throws InterruptedError at a step whose gradient is not finite, unless such steps are skipped
 */
async function trainEpoch(parts: TrainingParts, run: Reached, keeping: BackgroundWork): Promise<boolean> {
  const { cluster, schedule, rateOf, now } = parts
  const { epoch } = run.progress.at

  for (let stepInEpoch = run.progress.at.stepInEpoch; stepInEpoch < schedule.stepsPerEpoch; stepInEpoch++) {
    if (parts.stopRequested()) return false
    const { progress } = run
    const samples = schedule.batch(epoch, stepInEpoch).length
    const update = progress.at.step - progress.skippedSteps + 1
    const begin = now()
    const result = await cluster.trainStep(progress.at, { samples, update, rate: rateOf(update) })
    const end = now()
    const seconds = end - begin
    parts.onSpan?.({ name: 'step', begin, end, step: progress.at.step })
    const skipped = result.notFinite !== undefined
    if (skipped) tellNotFinite(parts, progress.at, result)
    run.progress = {
      at: { epoch, stepInEpoch: stepInEpoch + 1, step: progress.at.step + 1 },
      sums: skipped ? addSkippedStep(progress.sums, seconds) : addStep(progress.sums, result.lanes, seconds),
      images: progress.images + (skipped ? 0 : samples),
      skippedSteps: progress.skippedSteps + (skipped ? 1 : 0),
      seconds: progress.seconds + seconds,
    }
    parts.reached(run.progress)
    await parts.keepDigests(progress.at, result.lanes)
    keeping.check()
    await keepStep(parts, run, keeping)
    if (!skipped) tellStep(parts, run.progress.at, samples, seconds, result)
  }
  return true
}

/** Saves a checkpoint if one is due. If the epoch before is still being evaluated, waits for that first. */
async function keepStep(parts: TrainingParts, run: Reached, keeping: BackgroundWork): Promise<void> {
  if (run.untested !== undefined) {
    if (!parts.keepIsDue()) return
    await keeping.done()
  }
  parts.keepStep(run.progress)
}

/** Evaluates the test set with the weights at the end of an epoch. @param beside true if training continues meanwhile */
async function test({ cluster, observe, now, onSpan, scoreTest }: TrainingParts, { at, sums }: Progress, beside: boolean): Promise<EpochResult> {
  observe({ type: 'evaluating', epoch: at.epoch, beside })
  const begin = now()
  const score = scoreTest(await cluster.evaluate(at))
  onSpan?.({ name: 'evaluation', begin, end: now(), step: at.step })
  return { epoch: at.epoch, train: scoreOf(sums), test: score, images: sums.images, skippedSteps: sums.skippedSteps, seconds: sums.seconds }
}

function tellStep({ schedule, observe }: TrainingParts, { epoch, stepInEpoch, step }: StepPosition, samples: number, seconds: number, { lanes, gradientNorm, phases, computedBy }: StepResult): void {
  const { loss, accuracy } = scoreOf(addStep(emptySums, lanes, seconds))
  observe({ type: 'step', epoch, stepInEpoch: stepInEpoch - 1, stepsPerEpoch: schedule.stepsPerEpoch, step, samples, seconds, loss, accuracy, gradientNorm, split: splitOf(seconds, phases), computedBy })
  if (!Number.isFinite(loss)) observe({ type: 'lossNotFinite', epoch, step, lanes: lanes.filter((lane) => !Number.isFinite(lane.lossSum)).map(({ lane }) => lane) })
}

/**
 * Reports the step and the lanes whose gradient is not finite.
 * @param at position before the step
 * @throws InterruptedError unless such steps are skipped
 */
function tellNotFinite({ observe, onNonfinite }: TrainingParts, at: StepPosition, { lanes, notFinite }: StepResult): void {
  const notFiniteLanes = lanes.filter((lane) => lane.notFinite).map(({ lane }) => lane)
  const step = at.step + 1
  observe({ type: 'gradientNotFinite', epoch: at.epoch, step, lanes: notFiniteLanes, parameter: notFinite ?? '', action: onNonfinite })
  if (onNonfinite === 'skip') return
  throw new InterruptedError(`step ${step}, in epoch ${at.epoch}: ${whatIsNotFinite(notFiniteLanes, notFinite ?? '')}. Such steps are left out with --on-nonfinite skip; a smaller --lr may avoid them.`)
}
