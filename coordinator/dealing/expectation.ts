import { meanOfKnown } from './speed.ts'
import type { RoundKind } from '../contract/rounds.ts'
import type { Expected, WorkerState } from './worker_state.ts'

/**
 * What is expected of each worker: what was measured of it, or else the mean of the others.
 * @returns undefined when nothing is measured
 */
export function expectationOf(members: Iterable<WorkerState>, kind: RoundKind): ((member: WorkerState) => Expected) | undefined {
  const speeds = [...members].map((member) => member.speed)
  const unitMs = meanOfKnown(speeds.map((speed) => speed.unitMs(kind)))
  if (unitMs === undefined) return undefined
  const startMs = meanOfKnown(speeds.map((speed) => speed.startMs)) ?? 0
  const deliveryMs = meanOfKnown(speeds.map((speed) => speed.deliveryMs)) ?? 0
  return ({ speed, testing }) => ({
    // It may be at a block of the test set, which it ends first.
    startMs: (speed.startMs ?? startMs) + (testing ? (speed.unitMs('EVALUATE') ?? 0) : 0),
    unitMs: speed.unitMs(kind) ?? unitMs,
    // The result of a block is a few bytes, that of a lane a vector as long as the weights.
    deliveryMs: kind === 'TRAIN' ? (speed.deliveryMs ?? deliveryMs) : 0,
  })
}
