import type { Expected, WorkerState } from './worker_state.ts'

/** An idle worker takes over a lane only if the straggler would take at least this many times as long as the idle worker ... */
const GAIN_WORTH_A_COPY = 1.25
/** ... and this much longer: the idle worker has not decoded the images ahead, and delivers an additional result. */
const LEAST_GAIN_MS = 50

/** The worker that is expected to finish last, and the last open lane that it has. */
export interface Straggler {
  holder: WorkerState
  lane: number
  /** Milliseconds until it is expected to have delivered all its lanes. */
  remainingMs: number
}

/**
 * Finds the worker that is expected to finish last.
 * @param now milliseconds on the clock of the dealer's events
 * @param isOpen returns true if a lane is not counted yet and held by one worker only
 * @param expected returns the expected times of a worker
 * @returns undefined if no worker has an open lane
 */
export function latestStraggler(workers: Iterable<WorkerState>, now: number, isOpen: (lane: number) => boolean, expected: (worker: WorkerState) => Expected): Straggler | undefined {
  let latest: Straggler | undefined
  for (const holder of workers) {
    const lane = holder.tasks.findLast((task) => isOpen(task.lane))?.lane
    if (lane === undefined) continue
    const remainingMs = holder.remainingMs(now, expected(holder))
    if (remainingMs > (latest?.remainingMs ?? 0)) latest = { holder, lane, remainingMs }
  }
  return latest
}

/** Returns true if an idle worker should take over a straggler's lane: it would finish it sufficiently sooner. */
export function shouldTakeOver({ laneMs, deliveryMs }: Expected, { remainingMs }: Straggler): boolean {
  const ownMs = laneMs + deliveryMs
  return remainingMs > Math.max(ownMs * GAIN_WORTH_A_COPY, ownMs + LEAST_GAIN_MS)
}
