/** A worker that owes units and does not advance for this many times its own time for one is evicted ... */
const OVERDUE = 4
/** ... but not before this. */
const SHORTEST_DEADLINE_MS = 5000
/** Ticks come far more often than this: otherwise it was the coordinator that hung. */
export const LONGEST_TICK_MS = 2000

/** Milliseconds since the last tick that count against others: none, where it was the coordinator that hung. */
export function countedMs(gapMs: number): number {
  return gapMs > LONGEST_TICK_MS ? 0 : gapMs
}

/** How long a worker may take without advancing. @param usualMs its own time for what it is at */
export function deadlineMs(usualMs: number): number {
  return Math.max(SHORTEST_DEADLINE_MS, OVERDUE * usualMs)
}

/** For people. */
export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
