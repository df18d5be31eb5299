import type { Score } from '../../shared/evaluation/score.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'

/** Training sums of one epoch so far: float64, added in the order of lanes, so that they do not depend on the cluster. */
export interface EpochSums {
  lossSum: number
  correct: number
  images: number
  /** Steps that were left out: nothing of them is in the sums but their seconds. */
  skippedSteps: number
  seconds: number
}

export const emptySums: EpochSums = { lossSum: 0, correct: 0, images: 0, skippedSteps: 0, seconds: 0 }

export function addStep(sums: EpochSums, lanes: readonly LaneReport[], seconds: number): EpochSums {
  return lanes.reduce(
    (total, lane) => ({ ...total, lossSum: total.lossSum + lane.lossSum, correct: total.correct + lane.correct, images: total.images + lane.samples }),
    { ...sums, seconds: sums.seconds + seconds },
  )
}

export function addSkippedStep(sums: EpochSums, seconds: number): EpochSums {
  return { ...sums, skippedSteps: sums.skippedSteps + 1, seconds: sums.seconds + seconds }
}

/** Without images, when every step was left out, there is no loss and nothing was right. */
export function scoreOf(sums: EpochSums): Score {
  return { loss: sums.lossSum / sums.images, accuracy: sums.images === 0 ? 0 : sums.correct / sums.images }
}
