import { RunError } from '../../shared/kit/errors.ts'

/** A stop came while nobody was there to compute: there is no step to wait for. */
export class StoppedWhileWaiting extends Error {}

/** The run cannot go on now, and can be resumed from the step that it has reached. */
export class InterruptedError extends RunError {}

/** For people. Where every lane is finite by itself, it is their sum that is too large. */
export function whatIsNotFinite(lanes: readonly number[], parameter: string): string {
  const whose = lanes.length === 0 ? 'the sum of all lanes' : `lane${lanes.length === 1 ? '' : 's'} ${lanes.join(', ')}`
  return `the gradient of ${whose} is not finite, first in ${parameter}`
}
