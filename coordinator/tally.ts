import type { Score } from '../shared/train/score.ts'
import type { LaneReport } from '../shared/wire/messages.ts'

/** Training sums of one epoch so far: float64, added in the order of lanes, so that they do not depend on the cluster. */
export interface EpochSums {
  lossSum: number
  correct: number
  images: number
  seconds: number
}

export const emptySums: EpochSums = { lossSum: 0, correct: 0, images: 0, seconds: 0 }

export function addStep(sums: EpochSums, lanes: readonly LaneReport[], seconds: number): EpochSums {
  return lanes.reduce(
    (total, lane) => ({ ...total, lossSum: total.lossSum + lane.lossSum, correct: total.correct + lane.correct, images: total.images + lane.samples }),
    { ...sums, seconds: sums.seconds + seconds },
  )
}

export function scoreOf(sums: EpochSums): Score {
  return { loss: sums.lossSum / sums.images, accuracy: sums.correct / sums.images }
}
