import { RunError } from '../../shared/kit/errors.ts'

/** A stop came while nobody was there to compute: there is no step to wait for. */
export class StoppedWhileWaiting extends Error {}

/** The run cannot go on now, and can be resumed from the step that it has reached. */
export class InterruptedError extends RunError {}
