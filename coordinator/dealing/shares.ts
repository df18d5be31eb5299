/** The expected speed of one worker: `lanes` more are done `baseMs + lanes * laneMs` milliseconds from now. */
export interface Pace {
  worker: string
  baseMs: number
  laneMs: number
}

/** Number of lanes that each worker gets. */
export type Shares = ReadonlyMap<string, number>

/** Old shares are kept while they take at most this many times as long as the best ones: workers have decoded images of their old lanes ahead. */
export const GAIN_WORTH_A_CHANGE = 1.05

/**
 * Computes the shares with the earliest end: each lane goes to the worker that would have it done first. Ties go to the
 * first worker in the list.
 * @param count number of lanes
 * @param atLeastOne true gives every worker a lane if there are enough: a worker without one is not measured again
 */
export function fastestShares(paces: readonly Pace[], count: number, atLeastOne: boolean): Shares {
  const first = atLeastOne && count >= paces.length ? 1 : 0
  const shares = new Map(paces.map(({ worker }) => [worker, first]))
  const endWithOneMore = (pace: Pace): number => pace.baseMs + ((shares.get(pace.worker) ?? 0) + 1) * pace.laneMs
  for (let left = count - first * paces.length; left > 0; left--) {
    const soonest = paces.reduce((best, pace) => (endWithOneMore(pace) < endWithOneMore(best) ? pace : best))
    shares.set(soonest.worker, (shares.get(soonest.worker) ?? 0) + 1)
  }
  return shares
}

/**
 * Computes the shares for a whole round. Those of the round before, or else equal ones, are kept while they are about as good
 * as the best: a worker then has the same lanes in every step, whose images it decodes ahead.
 * @param count number of lanes
 */
export function steadyShares(paces: readonly Pace[], count: number, before: Shares | undefined): Shares {
  const best = fastestShares(paces, count, true)
  const goodEnough = endMs(paces, best) * GAIN_WORTH_A_CHANGE
  const equal = fastestShares(paces.map(({ worker }) => ({ worker, baseMs: 0, laneMs: 1 })), count, true)
  for (const shares of [before, equal]) if (shares !== undefined && fits(shares, paces, count) && endMs(paces, shares) <= goodEnough) return shares
  return best
}

/** Returns the milliseconds until the last worker is done. */
function endMs(paces: readonly Pace[], shares: Shares): number {
  return Math.max(...paces.map(({ worker, baseMs, laneMs }) => {
    const share = shares.get(worker) ?? 0
    return share === 0 ? 0 : baseMs + share * laneMs
  }))
}

function fits(shares: Shares, paces: readonly Pace[], count: number): boolean {
  return shares.size === paces.length && paces.every(({ worker }) => shares.has(worker)) && [...shares.values()].reduce((a, b) => a + b, 0) === count
}

/**
 * Cuts lanes into one contiguous run for each worker, since the lanes of a subtree make a single partial. Large runs come
 * first: they then begin at multiples of powers of two, as the subtrees do.
 */
export function runsOf(lanes: readonly number[], shares: Shares): Map<string, number[]> {
  const runs = new Map<string, number[]>()
  let next = 0
  for (const [worker, share] of [...shares].sort(([, a], [, b]) => b - a)) {
    if (share > 0) runs.set(worker, lanes.slice(next, next + share))
    next += share
  }
  return runs
}
