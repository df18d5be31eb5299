import { RunError } from '../../shared/kit/errors.ts'

/** A stop was requested while the run waited for workers or reducers, so there is no step to finish first. */
export class StoppedWhileWaiting extends Error {}

/** The run cannot continue now, but can be resumed from the step that it has reached. */
export class InterruptedError extends RunError {}
