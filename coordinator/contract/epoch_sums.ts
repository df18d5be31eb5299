import type { Score } from '../../shared/evaluation/score.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'

/** Training sums of one epoch so far, in float64. Lanes are added in their order, so the sums do not depend on the cluster. */
export interface EpochSums {
  lossSum: number
  correct: number
  images: number
  /** Number of skipped steps; of these, only the seconds are in the other sums. */
  skippedSteps: number
  seconds: number
}

export const emptySums: EpochSums = { lossSum: 0, correct: 0, images: 0, skippedSteps: 0, seconds: 0 }

/** @param lanes reports in the order of lanes @param seconds duration of the step */
export function addStep(sums: EpochSums, lanes: readonly LaneReport[], seconds: number): EpochSums {
  return lanes.reduce(
    (total, lane) => ({ ...total, lossSum: total.lossSum + lane.lossSum, correct: total.correct + lane.correct, images: total.images + lane.samples }),
    { ...sums, seconds: sums.seconds + seconds },
  )
}

export function addSkippedStep(sums: EpochSums, seconds: number): EpochSums {
  return { ...sums, skippedSteps: sums.skippedSteps + 1, seconds: sums.seconds + seconds }
}

/** Computes mean loss and accuracy. If every step was skipped, there are no images: the loss is then NaN, the accuracy 0. */
export function scoreOf(sums: EpochSums): Score {
  return { loss: sums.lossSum / sums.images, accuracy: sums.images === 0 ? 0 : sums.correct / sums.images }
}
