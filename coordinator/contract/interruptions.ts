import { RunError } from '../../shared/kit/errors.ts'

/** Time that the step and the evaluation in progress are given to end once a stop is requested, in milliseconds. */
export const STOP_PATIENCE_MS = 10_000

/** A stop was requested while the run waited for workers or reducers, or it has waited too long for a step or an evaluation to end: nothing is finished first. */
export class StoppedWhileWaiting extends Error {}

/** A part of the run is lost, or wrong, that its last checkpoint has: the run can go back there by itself. */
export class GoBackError extends RunError {
  /** True if the run had got further than where this process had begun it: going back is not in vain. */
  readonly progressed: boolean
  /** Folder of the run. */
  readonly folder: string
  /** HOST:PORT on which the coordinator listened, where its workers look for it. */
  readonly address: string
  /** Number of the first steps of the run in which everything is to be checked; 0 for none. */
  readonly attentiveUntil: number
  /** Number of workers that were left when somebody was put out whose lie is the reason; undefined if it is another reason. */
  readonly workersLeft: number | undefined

  constructor(message: string, { progressed, folder, address, attentiveUntil, workersLeft }: { progressed: boolean; folder: string; address: string; attentiveUntil: number; workersLeft: number | undefined }) {
    super(message)
    this.progressed = progressed
    this.folder = folder
    this.address = address
    this.attentiveUntil = attentiveUntil
    this.workersLeft = workersLeft
  }
}

/** A step that was taken, or is about to be, is wrong or may be: its weights must not be kept. */
export class WrongStepError extends RunError {
  /** Number of the first steps of the run in which everything is to be checked from now on; 0 for none. */
  readonly attentiveUntil: number
  /** True if the worker that is to blame is out: going back is not in vain. */
  readonly someoneIsOut: boolean

  constructor(message: string, { attentiveUntil, someoneIsOut }: { attentiveUntil: number; someoneIsOut: boolean }) {
    super(message)
    this.attentiveUntil = attentiveUntil
    this.someoneIsOut = someoneIsOut
  }
}

/** The run cannot continue now, but can be resumed from the step that it has reached. */
export class InterruptedError extends RunError {}
