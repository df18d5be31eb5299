import { meanOfKnown } from './speed.ts'
import type { Expected, WorkerState } from './worker_state.ts'

/**
 * Makes the function that tells the expected times of a worker: those measured of it, or else the mean of the others.
 * @returns undefined before any lane is measured
 */
export function expectationOf(members: Iterable<WorkerState>): ((member: WorkerState) => Expected) | undefined {
  const speeds = [...members].map((member) => member.speed)
  const laneMs = meanOfKnown(speeds.map((speed) => speed.lane.ms))
  if (laneMs === undefined) return undefined
  const startMs = meanOfKnown(speeds.map((speed) => speed.startMs)) ?? 0
  const deliveryMs = meanOfKnown(speeds.map((speed) => speed.deliveryMs)) ?? 0
  return ({ speed, testing, checking }) => ({
    // The worker may be computing a block of the test set or a check, which it finishes first.
    startMs: (speed.startMs ?? startMs) + (testing ? (speed.block.ms ?? 0) : 0) + checking * (speed.lane.ms ?? laneMs),
    laneMs: speed.lane.ms ?? laneMs,
    deliveryMs: speed.deliveryMs ?? deliveryMs,
  })
}
