/** One step of training, whose lanes are dealt. */
export interface Round {
  /** Grows from round to round. */
  id: number
  lanes: number
  /** Images in all lanes together. Speeds are not measured in rounds that are smaller than others. */
  samples: number
}

export type DealerEvent =
  | { type: 'joined'; worker: string; now: number }
  | { type: 'lost'; worker: string; now: number }
  | { type: 'heard'; worker: string; now: number }
  /** The worker finishes what it was dealt, and wants nothing more. */
  | { type: 'draining'; worker: string; now: number }
  | { type: 'begin'; round: Round; now: number }
  /** A worker has computed a lane, in `ms` by its own clock; the result is on its way. */
  | { type: 'computed'; worker: string; round: number; lane: number; ms: number; now: number }
  /**
   * Beside its lanes, the worker may be at a block of the test set from now on, or, where `ms` tells how long its last one took, has
   * delivered that.
   */
  | { type: 'testing'; worker: string; going: boolean; ms?: number; now: number }
  /** The worker has ended what it had begun of a round that was abandoned. */
  | { type: 'abandoned'; worker: string; round: number; now: number }
  /** A worker has delivered lanes begin <= lane < end of a round, completely. */
  | { type: 'delivered'; worker: string; round: number; begin: number; end: number; now: number }
  | { type: 'tick'; now: number }

export type DealReason =
  | 'begin'
  /** Their holder is out. */
  | 'orphaned'
  /** Their holder is expected to take longer. */
  | 'takenOver'

export type DealerAction =
  /** Send work. BEFORE it, the worker must have been sent the weights of this round. */
  | { type: 'deal'; worker: string; round: number; lanes: number[]; attempt: number; reason: DealReason }
  /** Tell the worker to leave out these lanes of its deals, unless it has begun them: somebody else has them. */
  | { type: 'release'; worker: string; round: number; lanes: number[] }
  /** Tell the worker that nothing of this round is needed any more. */
  | { type: 'abandon'; worker: string; round: number }
  /** Count what was delivered: these lanes were not yet delivered by anyone. */
  | { type: 'count'; worker: string; round: number; lanes: number[] }
  /** Do not count what was delivered. */
  | { type: 'drop'; worker: string; round: number; lanes: number; reason: string }
  /** Every lane of the round has been counted. */
  | { type: 'complete'; round: number }
  /** Cut the worker off. Its lanes are dealt again by actions that follow. */
  | { type: 'evict'; worker: string; reason: string }
  /** The draining worker owes nothing any more and is out: let it go. */
  | { type: 'dismiss'; worker: string }
  /** As many workers as were asked for are in: training may begin. Once in a run. */
  | { type: 'gathered' }
  /** No worker is left. */
  | { type: 'waiting' }
  | { type: 'goingOn'; waitedMs: number }
  /** Workers have been waited for as long as is allowed. */
  | { type: 'gaveUp'; waitedMs: number; workers: number }

export interface DealerOptions {
  /** Workers to wait for before `gathered`. */
  workersWanted: number
  /** A worker that is not heard of for this long is evicted. */
  silenceLimitMs: number
  /** How long to wait for workers: for as many as are wanted to begin with, then for one. */
  waitLimitMs: number
}
