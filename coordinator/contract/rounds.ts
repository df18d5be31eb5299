import { ProtocolError } from '../../shared/kit/errors.ts'
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

/**
 * Checks that a message names a round of the kind that it is about, and one that has begun. What comes for a round that is over is late.
 * @param last round of this kind that has begun
 * @param what names the message
 * @throws ProtocolError
 */
export function requireBegun(kind: RoundKind, round: number, last: number, what: string): void {
  if (kindOf(round) !== kind) throw new ProtocolError(`${what} names round ${round}, which is of another kind`)
  if (round > last) throw new ProtocolError(`${what} names round ${round}, which has not begun`)
}
