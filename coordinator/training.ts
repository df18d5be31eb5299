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

/** What the loop needs of its surroundings. */
export interface TrainingParts {
  cluster: Cluster
  schedule: Schedule
  epochs: number
  /** Learning rate of an update, by its number from 1. */
  rateOf: (update: number) => number
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
  /** A step is taken, and this is where the run stands. */
  reached: (progress: Progress) => void
  /** Between two steps: keeps where the run stands, when it is time to. Copies what it needs; nothing waits for it. */
  keepStep: (progress: Progress) => void
  /** Whether `keepStep` would. */
  keepIsDue: () => boolean
  /** Copies weights and moments, as they are at the moment of the call. */
  hold: () => HeldState
  /**
   * Keeps an epoch's result: history, plots, checkpoint, while the next epoch is trained; the next one is kept when this is done.
   * @param progress stands at the beginning of the next epoch
   * @param held at that moment
   */
  keepEpoch: (result: EpochResult, progress: Progress, held: HeldState) => Promise<void>
}

export interface TrainingEnd {
  progress: Progress
  /** Weights and moments at `progress`, where training has gone on from there. */
  held?: HeldState
  stopped: boolean
  /** Why it stopped, where that was not asked for. */
  failure?: InterruptedError
  last: EpochResult | undefined
}

/** How far the run has come. */
interface Reached {
  progress: Progress
  /** The last epoch that was tested. */
  last: EpochResult | undefined
  /** The end of an epoch that is not tested yet: nothing later can be kept, since the epoch would be left out of the history. */
  untested: { progress: Progress; held: HeldState } | undefined
}

/** The run: epochs from where it stands, until all are done or a stop is requested. It has ended when all is tested and kept. */
export async function train(parts: TrainingParts, from: Progress): Promise<TrainingEnd> {
  const run: Reached = { progress: from, last: undefined, untested: undefined }
  const keeping = new BackgroundWork()
  try {
    const end = await interruptible(() => trainEpochs(parts, run, keeping))
    const kept = await interruptible(() => keeping.done().then(() => end))
    return { progress: run.progress, ...run.untested, ...end, ...kept, last: run.last }
  } finally {
    // Who would test it may be gone.
    if (run.untested === undefined) await keeping.settled()
  }
}

/** @throws whatever is no reason to stop in order */
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
  while (run.progress.at.epoch <= parts.epochs) {
    if (!(await trainEpoch(parts, run, keeping))) return { stopped: true }
    await keeping.done()
    const ended = run.progress
    const { epoch, step } = ended.at
    const isLast = epoch === parts.epochs
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
    if (beside) run.untested = { progress: ended, held }
    else await testing
    keeping.add(keep())
    run.progress = next
  }
  return { stopped: false }
}

/**
 * The steps of one epoch: for each batch, the cluster sums the gradients of all lanes and the optimizer takes one step.
 * @returns false when a stop was requested between two steps
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
    keeping.check()
    await keepStep(parts, run, keeping)
    if (!skipped) tellStep(parts, run.progress.at, samples, seconds, result)
  }
  return true
}

/** Keeps where the run stands, when it is time to: by then, the epoch before must be tested. */
async function keepStep(parts: TrainingParts, run: Reached, keeping: BackgroundWork): Promise<void> {
  if (run.untested !== undefined) {
    if (!parts.keepIsDue()) return
    await keeping.done()
  }
  parts.keepStep(run.progress)
}

/** Evaluates the test set with the weights of an epoch's end. @param beside steps go on meanwhile */
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
