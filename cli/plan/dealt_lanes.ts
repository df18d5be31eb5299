import { laneRange, LaneTree } from '../../shared/lanes/lane_tree.ts'
import { LaneWalk } from '../../shared/lanes/lane_walk.ts'

/** Lanes that one worker computes in a step, in the order in which it computes them. */
export interface DealtLanes {
  /** Images of each lane. */
  images: number[]
  /** Number of its lanes that are computed by the time it can send a partial sum, for each partial sum that it sends. */
  partialsAfter: number[]
}

/**
 * Deals lanes to equally fast workers as the coordinator does: whole lanes, in contiguous runs whose lengths differ by at most one, the
 * longer ones first. With more workers than lanes, some get none.
 * @returns one entry for each worker that gets a lane
 */
export function dealLanes(batch: number, lanes: number, workers: number): DealtLanes[] {
  const tree = new LaneTree(lanes)
  const dealt: DealtLanes[] = []
  let next = 0
  for (let worker = 0; worker < Math.min(workers, lanes); worker++) {
    const count = Math.floor(lanes / workers) + (worker < lanes % workers ? 1 : 0)
    const run = Array.from({ length: count }, (_, index) => next + index)
    next += count
    dealt.push({ images: run.map((lane) => imagesOf(batch, lanes, lane)), partialsAfter: partialsAfter(tree, run) })
  }
  return dealt
}

function imagesOf(batch: number, lanes: number, lane: number): number {
  const { begin, end } = laneRange(batch, lanes, lane)
  return end - begin
}

function partialsAfter(tree: LaneTree, run: readonly number[]): number[] {
  const walk = new LaneWalk(tree, run)
  const after: number[] = []
  let computed = 0
  for (let step = walk.next(); step !== undefined; step = walk.next()) {
    if (step.type === 'push') computed++
    else if (step.type === 'take') after.push(computed)
  }
  return after
}
