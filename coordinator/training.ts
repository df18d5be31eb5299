import { RunError } from '../shared/errors.ts'
import type { Schedule, StepPosition } from '../shared/train/schedule.ts'
import type { Score, TestScore } from '../shared/train/score.ts'
import type { OptimizerState } from '../shared/train/adam.ts'
import type { SpanObserver } from '../shared/trace/span.ts'
import { Beside } from './beside.ts'
import type { Cluster, StepResult } from './cluster.ts'
import type { Observer } from './events.ts'
import { splitOf } from './step_phases.ts'
import { addSkippedStep, addStep, emptySums, scoreOf, type EpochSums } from './tally.ts'

/** Where a run stands: all that resuming needs besides the model. */
export interface Progress {
  at: StepPosition
  /** The epoch in progress. */
  sums: EpochSums
  /** Since the run began, over every resumption. */
  images: number
  /** Steps that were left out, since their gradient was not finite. */
  skippedSteps: number
  seconds: number
}

export const beginning: Progress = { at: { epoch: 1, stepInEpoch: 0, step: 0 }, sums: emptySums, images: 0, skippedSteps: 0, seconds: 0 }

export interface EpochResult {
  epoch: number
  train: Score
  test: TestScore
  /** Training images of this epoch, steps that were left out, and seconds of all its steps. */
  images: number
  skippedSteps: number
  seconds: number
}

/** What the loop needs of its surroundings. */
export interface TrainingParts {
  cluster: Cluster
  schedule: Schedule
  epochs: number
  /** What to do at a step whose gradient is not finite: end the run, or leave the step out. */
  onNonfinite: 'stop' | 'skip'
  /** Seconds on a clock that only goes forward. */
  now: () => number
  observe: Observer
  /** Is told of steps and evaluations, for a trace. */
  onSpan?: SpanObserver
  /** True once the run is asked to end: it then stops between two steps. */
  stopRequested: () => boolean
  scoreTest: (blocks: Awaited<ReturnType<Cluster['evaluate']>>) => TestScore
  /** Between two steps: keeps where the run stands, when it is time to. Copies what it needs; nothing waits for it. */
  keepStep: (progress: Progress) => void
  /** A copy of weights and moments, as they are at the moment of the call. */
  snapshot: () => Promise<OptimizerState>
  /**
   * Keeps an epoch's result: history, plots, checkpoint, while the next epoch is trained; the next one is kept when this is done.
   * @param progress stands at the beginning of the next epoch
   * @param state of that moment
   */
  keepEpoch: (result: EpochResult, progress: Progress, state: Promise<OptimizerState>) => Promise<void>
}

/** A stop came while nobody was there to compute: there is no step to wait for. */
export class StoppedWhileWaiting extends Error {}

/** The run cannot go on now, and can be resumed from the step that it has reached. */
export class InterruptedError extends RunError {}

export interface TrainingEnd {
  progress: Progress
  stopped: boolean
  /** Why it stopped, where that was not asked for. */
  failure?: InterruptedError
  last: EpochResult | undefined
}

/** The run: epochs from where it stands, until all are done or a stop is requested. It has ended when all is kept. */
export async function train(parts: TrainingParts, from: Progress): Promise<TrainingEnd> {
  const keeping = new Beside()
  try {
    const end = await trainEpochs(parts, from, keeping)
    await keeping.done()
    return end
  } finally {
    await keeping.settled()
  }
}

async function trainEpochs(parts: TrainingParts, from: Progress, keeping: Beside): Promise<TrainingEnd> {
  let progress = from
  let last: EpochResult | undefined
  try {
    await parts.cluster.gathered()
    while (progress.at.epoch <= parts.epochs) {
      const end = await trainEpoch(parts, progress, (reached) => {
        progress = reached
        keeping.check()
      })
      if (end === undefined) return { progress, stopped: true, last }
      await keeping.done()
      last = end.result
      progress = end.progress
      const state = parts.snapshot()
      // Who awaits it may come later than its failure.
      state.catch(() => undefined)
      keeping.add(parts.keepEpoch(last, progress, state))
    }
  } catch (error) {
    if (error instanceof StoppedWhileWaiting) return { progress, stopped: true, last }
    if (error instanceof InterruptedError) return { progress, stopped: true, failure: error, last }
    throw error
  }
  return { progress, stopped: false, last }
}

/**
 * One epoch: for each batch, the cluster sums the gradients of all lanes and the optimizer takes one step; then the
 * test set is evaluated.
 * @param reached is told where the run stands after each step
 * @returns undefined when a stop was requested between two steps
 * @throws InterruptedError at a step whose gradient is not finite, unless such steps are skipped
 */
async function trainEpoch(parts: TrainingParts, from: Progress, reached: (progress: Progress) => void): Promise<{ result: EpochResult; progress: Progress } | undefined> {
  const { cluster, schedule, now } = parts
  const { epoch } = from.at
  let progress = from

  for (let stepInEpoch = from.at.stepInEpoch; stepInEpoch < schedule.stepsPerEpoch; stepInEpoch++) {
    if (parts.stopRequested()) return undefined
    const samples = schedule.batch(epoch, stepInEpoch).length
    const begin = now()
    const result = await cluster.trainStep(progress.at, samples, progress.at.step - progress.skippedSteps + 1)
    const end = now()
    const seconds = end - begin
    parts.onSpan?.({ name: 'step', begin, end, step: progress.at.step })
    const skipped = result.notFinite !== undefined
    if (skipped) tellNotFinite(parts, progress.at, result)
    progress = {
      at: { epoch, stepInEpoch: stepInEpoch + 1, step: progress.at.step + 1 },
      sums: skipped ? addSkippedStep(progress.sums, seconds) : addStep(progress.sums, result.lanes, seconds),
      images: progress.images + (skipped ? 0 : samples),
      skippedSteps: progress.skippedSteps + (skipped ? 1 : 0),
      seconds: progress.seconds + seconds,
    }
    reached(progress)
    parts.keepStep(progress)
    if (!skipped) tellStep(parts, progress.at, samples, seconds, result)
  }

  parts.observe({ type: 'evaluating', epoch })
  const begin = now()
  const test = parts.scoreTest(await cluster.evaluate(progress.at))
  parts.onSpan?.({ name: 'evaluation', begin, end: now(), step: progress.at.step })
  const { sums } = progress
  return {
    result: { epoch, train: scoreOf(sums), test, images: sums.images, skippedSteps: sums.skippedSteps, seconds: sums.seconds },
    progress: { ...progress, at: { epoch: epoch + 1, stepInEpoch: 0, step: progress.at.step }, sums: emptySums },
  }
}

function tellStep({ schedule, observe }: TrainingParts, { epoch, stepInEpoch, step }: StepPosition, samples: number, seconds: number, { lanes, gradientNorm, phases, computedBy }: StepResult): void {
  const { loss, accuracy } = scoreOf(addStep(emptySums, lanes, seconds))
  observe({ type: 'step', epoch, stepInEpoch: stepInEpoch - 1, stepsPerEpoch: schedule.stepsPerEpoch, step, samples, seconds, loss, accuracy, gradientNorm, split: splitOf(seconds, phases), computedBy })
  if (!Number.isFinite(loss)) observe({ type: 'lossNotFinite', epoch, step, lanes: lanes.filter((lane) => !Number.isFinite(lane.lossSum)).map(({ lane }) => lane) })
}

/**
 * Says which step and lanes have a gradient that is not finite.
 * @param at before the step
 * @throws InterruptedError unless such steps are skipped.
 */
function tellNotFinite({ observe, onNonfinite }: TrainingParts, at: StepPosition, { lanes, notFinite }: StepResult): void {
  const notFiniteLanes = lanes.filter((lane) => lane.notFinite).map(({ lane }) => lane)
  const step = at.step + 1
  observe({ type: 'gradientNotFinite', epoch: at.epoch, step, lanes: notFiniteLanes, parameter: notFinite ?? '', action: onNonfinite })
  if (onNonfinite === 'skip') return
  throw new InterruptedError(`step ${step}, in epoch ${at.epoch}: ${whatIsNotFinite(notFiniteLanes, notFinite ?? '')}. Such steps are left out with --on-nonfinite skip; a smaller --lr may avoid them.`)
}

/** For people. Where every lane is finite by itself, it is their sum that is too large. */
export function whatIsNotFinite(lanes: readonly number[], parameter: string): string {
  const whose = lanes.length === 0 ? 'the sum of all lanes' : `lane${lanes.length === 1 ? '' : 's'} ${lanes.join(', ')}`
  return `the gradient of ${whose} is not finite, first in ${parameter}`
}
