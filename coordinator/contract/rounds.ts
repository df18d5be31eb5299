import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'

/** A round is one step of training (its units are lanes) or one evaluation (its units are blocks of the test set). */
export type RoundKind = 'TRAIN' | 'EVALUATE'

/**
 * Names a round by what is computed in it, so that the same number means the same bits in every process of a run: a
 * result of before a coordinator's restart can do no harm. Grows from round to round.
 */
export function roundOf(kind: RoundKind, { step }: Pick<StepPosition, 'step'>): number {
  return kind === 'EVALUATE' ? 2 * step : 2 * step + 1
}

export function stepOf(round: number): number {
  return Math.floor(round / 2)
}

export function kindOf(round: number): RoundKind {
  return round % 2 === 0 ? 'EVALUATE' : 'TRAIN'
}
