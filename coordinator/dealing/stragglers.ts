import type { Expected, WorkerState } from './worker_state.ts'

/** A worker that has nothing to do is not set on what its holder would end about as soon: it must be this much sooner ... */
const GAIN_WORTH_A_COPY = 1.25
/** ... and by this much: it has not decoded the images ahead, and delivers one result more. */
const LEAST_GAIN_MS = 50

/**
 * Which unit a worker without work should take over: the last one of the worker that is expected to end last, if that
 * is later than it would take here.
 * @param isOpen tells whether a unit is not yet counted and held by nobody else
 * @param expected of a worker
 */
export function unitToTakeOver(
  idle: WorkerState, workers: Iterable<WorkerState>, now: number, isOpen: (unit: number) => boolean, expected: (worker: WorkerState) => Expected,
): { holder: WorkerState; unit: number } | undefined {
  const own = expected(idle)
  const ownMs = own.unitMs + own.deliveryMs
  let latestMs = Math.max(ownMs * GAIN_WORTH_A_COPY, ownMs + LEAST_GAIN_MS)
  let found: { holder: WorkerState; unit: number } | undefined
  for (const holder of workers) {
    if (holder === idle) continue
    const unit = holder.tasks.findLast((task) => isOpen(task.unit))?.unit
    if (unit === undefined) continue
    const remainingMs = holder.remainingMs(now, expected(holder))
    if (remainingMs > latestMs) {
      latestMs = remainingMs
      found = { holder, unit }
    }
  }
  return found
}
