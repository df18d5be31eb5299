import { meanOfKnown } from './speed.ts'
import type { Expected, WorkerState } from './worker_state.ts'

/**
 * What is expected of each worker: what was measured of it, or else the mean of the others.
 * @returns undefined when nothing is measured
 */
export function expectationOf(members: Iterable<WorkerState>): ((member: WorkerState) => Expected) | undefined {
  const speeds = [...members].map((member) => member.speed)
  const laneMs = meanOfKnown(speeds.map((speed) => speed.lane.ms))
  if (laneMs === undefined) return undefined
  const startMs = meanOfKnown(speeds.map((speed) => speed.startMs)) ?? 0
  const deliveryMs = meanOfKnown(speeds.map((speed) => speed.deliveryMs)) ?? 0
  return ({ speed, testing }) => ({
    // It may be at a block of the test set, which it ends first.
    startMs: (speed.startMs ?? startMs) + (testing ? (speed.block.ms ?? 0) : 0),
    laneMs: speed.lane.ms ?? laneMs,
    deliveryMs: speed.deliveryMs ?? deliveryMs,
  })
}
