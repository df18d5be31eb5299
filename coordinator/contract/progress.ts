import type { Score, TestScore } from '../../shared/evaluation/score.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { OptimizerState } from '../../shared/optim/optimizer.ts'
import { emptySums, type EpochSums } from './epoch_sums.ts'

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

/** Weights and moments of a moment. */
export interface HeldState {
  state: Promise<OptimizerState>
  /** In seconds. */
  since: number
}
