import { ProtocolError } from '../../shared/kit/errors.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'

/** A round is one step of training (its units are lanes) or one evaluation (its units are blocks of the test set). */
export type RoundKind = 'TRAIN' | 'EVALUATE'

/**
 * Numbers a round by its place in the run, so that the same number means the same bits in every process of the run: a result
 * from before a coordinator's restart does no harm. Numbers grow from round to round.
 */
export function roundOf(kind: RoundKind, { step }: Pick<StepPosition, 'step'>): number {
  return kind === 'EVALUATE' ? 2 * step : 2 * step + 1
}

/** @returns the number of steps taken before the round */
export function stepOf(round: number): number {
  return Math.floor(round / 2)
}

export function kindOf(round: number): RoundKind {
  return round % 2 === 0 ? 'EVALUATE' : 'TRAIN'
}

/**
 * Checks that a message names a round of the right kind that has begun. A round that is over passes the check: its messages are only late.
 * @param last number of the newest round of this kind
 * @param what name of the message for the error
 * @throws ProtocolError if the check fails
 */
export function requireBegun(kind: RoundKind, round: number, last: number, what: string): void {
  if (kindOf(round) !== kind) throw new ProtocolError(`${what} names round ${round}, which is of another kind`)
  if (round > last) throw new ProtocolError(`${what} names round ${round}, which has not begun`)
}
