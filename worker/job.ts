import type { LaneWalk } from '../shared/lanes/lane_walk.ts'
import type { Deal } from '../shared/wire/messages.ts'

/** A deal of lanes that is being computed or waits for its turn. */
export interface Job {
  deal: Deal
  walk: LaneWalk
  /** True once nothing of the deal's round is needed any more. */
  abandoned: boolean
}
