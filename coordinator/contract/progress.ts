import type { Score, TestScore } from '../../shared/evaluation/score.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { OptimizerState } from '../../shared/optim/optimizer.ts'
import { emptySums, type EpochSums } from './epoch_sums.ts'

/** The position of a run: everything that resuming needs besides weights and moments. */
export interface Progress {
  at: StepPosition
  /** Sums of the epoch in progress. */
  sums: EpochSums
  /** Number of training images since the run began, across resumptions. */
  images: number
  /** Number of steps skipped since the run began, because their gradient was not finite. */
  skippedSteps: number
  /** Duration of all steps since the run began, in seconds. */
  seconds: number
}

export const beginning: Progress = { at: { epoch: 1, stepInEpoch: 0, step: 0 }, sums: emptySums, images: 0, skippedSteps: 0, seconds: 0 }

export interface EpochResult {
  epoch: number
  train: Score
  test: TestScore
  /** Number of training images in the steps that were not skipped. */
  images: number
  skippedSteps: number
  /** Duration of all steps of the epoch, skipped ones included, in seconds. */
  seconds: number
}

/** A snapshot of weights and optimizer moments between two steps. */
export interface HeldState {
  state: Promise<OptimizerState>
  /** Time of the snapshot, in seconds on a monotonic clock. */
  since: number
}
