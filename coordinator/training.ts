import type { Schedule, StepPosition } from '../shared/train/schedule.ts'
import type { Cluster } from './cluster.ts'
import type { Observer } from './events.ts'
import { addStep, emptySums, scoreOf, type EpochSums, type Score, type TestScore } from './tally.ts'

/** Where a run stands: all that resuming needs besides the model. */
export interface Progress {
  at: StepPosition
  /** The epoch in progress. */
  sums: EpochSums
  /** Since the run began, over every resumption. */
  images: number
  seconds: number
}

export const beginning: Progress = { at: { epoch: 1, stepInEpoch: 0, step: 0 }, sums: emptySums, images: 0, seconds: 0 }

export interface EpochResult {
  epoch: number
  train: Score
  test: TestScore
  /** Training images of this epoch, and seconds of its training steps. */
  images: number
  seconds: number
}

/** What the loop needs of its surroundings. */
export interface TrainingParts {
  cluster: Cluster
  schedule: Schedule
  epochs: number
  /** Seconds on a clock that only goes forward. */
  now: () => number
  observe: Observer
  /** True once the run is asked to end: it then stops between two steps. */
  stopRequested: () => boolean
  scoreTest: (blocks: Awaited<ReturnType<Cluster['evaluate']>>) => TestScore
  /** Keeps an epoch's result: history, plots, checkpoint. `progress` stands at the beginning of the next epoch. */
  keepEpoch: (result: EpochResult, progress: Progress) => Promise<void>
}

export interface TrainingEnd {
  progress: Progress
  stopped: boolean
  last: EpochResult | undefined
}

/**
 * The run: for each epoch, for each batch, gradients of all lanes are summed by the cluster and the optimizer takes one
 * step; then the test set is evaluated and the epoch is kept.
 */
export async function train(parts: TrainingParts, from: Progress): Promise<TrainingEnd> {
  const { cluster, schedule, now } = parts
  let progress = from
  let last: EpochResult | undefined
  await cluster.gathered()

  while (progress.at.epoch <= parts.epochs) {
    const { epoch } = progress.at

    // Every batch of the epoch, from where the run stands.
    for (let stepInEpoch = progress.at.stepInEpoch; stepInEpoch < schedule.stepsPerEpoch; stepInEpoch++) {
      if (parts.stopRequested()) return { progress, stopped: true, last }
      const samples = schedule.batch(epoch, stepInEpoch).length
      const begin = now()
      const lanes = await cluster.trainStep(progress.at, samples)
      const seconds = now() - begin
      const { loss, accuracy } = scoreOf(addStep(emptySums, lanes, seconds))
      progress = {
        at: { epoch, stepInEpoch: stepInEpoch + 1, step: progress.at.step + 1 },
        sums: addStep(progress.sums, lanes, seconds),
        images: progress.images + samples,
        seconds: progress.seconds + seconds,
      }
      parts.observe({ type: 'step', epoch, stepInEpoch, stepsPerEpoch: schedule.stepsPerEpoch, step: progress.at.step, samples, seconds, loss, accuracy })
    }

    // The whole test set, sharded over the workers.
    parts.observe({ type: 'evaluating', epoch })
    const begin = now()
    const test = parts.scoreTest(await cluster.evaluate(progress.at))
    last = { epoch, train: scoreOf(progress.sums), test, images: progress.sums.images, seconds: progress.sums.seconds }

    progress = { ...progress, at: { epoch: epoch + 1, stepInEpoch: 0, step: progress.at.step }, sums: emptySums, seconds: progress.seconds + (now() - begin) }
    await parts.keepEpoch(last, progress)
  }
  return { progress, stopped: false, last }
}
