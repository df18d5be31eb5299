/** A worker that owes units is evicted if it makes no progress for this many times its own time for one unit ... */
const OVERDUE = 4
/** ... but never before this time. */
const SHORTEST_DEADLINE_MS = 5000
/** The deadline of a worker whose time for a unit is not known: engines may take minutes to warm up, but not for ever. */
const UNMEASURED_DEADLINE_MS = 1_800_000
/** Ticks come far more often than this: a longer gap means that the coordinator itself hung. */
export const LONGEST_TICK_MS = 2000

/**
 * Returns the milliseconds that count as silence of members: none, if the coordinator itself hung.
 * @param gapMs milliseconds since the last tick
 */
export function countedMs(gapMs: number): number {
  return gapMs > LONGEST_TICK_MS ? 0 : gapMs
}

/** Returns the milliseconds for which a worker may make no progress. @param usualMs its usual time for what it is doing; undefined if it is not measured yet */
export function deadlineMs(usualMs: number | undefined): number {
  return usualMs === undefined ? UNMEASURED_DEADLINE_MS : Math.max(SHORTEST_DEADLINE_MS, OVERDUE * usualMs)
}

/** Formats milliseconds as seconds, e.g. "1.5 s". */
export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
