import type { Expected, WorkerState } from './worker_state.ts'

/** A worker that has nothing to do is not set on what its holder would end about as soon: it must be this much sooner ... */
const GAIN_WORTH_A_COPY = 1.25
/** ... and by this much: it has not decoded the images ahead, and delivers one result more. */
const LEAST_GAIN_MS = 50

/** The worker that is expected to end last, and the last lane that it has. */
export interface Straggler {
  holder: WorkerState
  lane: number
  remainingMs: number
}

/**
 * Whose last lane is expected to be done last of all.
 * @param isOpen tells whether a lane is not yet counted and held by nobody else
 * @param expected of a worker
 * @returns undefined when nobody has an open lane
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

/** Whether a worker without work should take over a straggler's lane: it would have it done enough sooner. */
export function shouldTakeOver({ laneMs, deliveryMs }: Expected, { remainingMs }: Straggler): boolean {
  const ownMs = laneMs + deliveryMs
  return remainingMs > Math.max(ownMs * GAIN_WORTH_A_COPY, ownMs + LEAST_GAIN_MS)
}
