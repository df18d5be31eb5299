/** One step of training, whose lanes are dealt to workers. */
export interface Round {
  /** Number of the round, which grows from round to round. */
  id: number
  /** Number of lanes. */
  lanes: number
  /** Number of images in all lanes together. Speeds are not measured in rounds that are smaller than usual. */
  samples: number
}

export type DealerEvent =
  | { type: 'joined'; worker: string; now: number }
  | { type: 'lost'; worker: string; now: number }
  | { type: 'heard'; worker: string; now: number }
  /** The worker finishes what it was dealt, and is to get no more work. */
  | { type: 'draining'; worker: string; now: number }
  | { type: 'begin'; round: Round; now: number }
  /** A worker has computed a lane, in `ms` by its own clock; the result is on its way. */
  | { type: 'computed'; worker: string; round: number; lane: number; ms: number; now: number }
  /**
   * The worker may be computing a block of the test set beside its lanes from now on (`going`), or no longer is. If `ms` is given, it has
   * just delivered a block that took so long.
   */
  | { type: 'testing'; worker: string; going: boolean; ms?: number; now: number }
  /** The worker computes this number of lanes for a check beside its own from now on; 0: no more. */
  | { type: 'checking'; worker: string; lanes: number; now: number }
  /** The worker has ended the work that it had begun of an abandoned round. */
  | { type: 'abandoned'; worker: string; round: number; now: number }
  /** A worker has completely delivered the partial of lanes begin <= lane < end of a round. */
  | { type: 'delivered'; worker: string; round: number; begin: number; end: number; now: number }
  | { type: 'tick'; now: number }

export type DealReason =
  | 'begin'
  /** No worker holds the lanes, e.g. because theirs was lost. */
  | 'orphaned'
  /** The worker that holds the lanes is expected to take longer. */
  | 'takenOver'

export type DealerAction =
  /** The worker is to be sent work. The weights of this round must have been sent to it BEFORE. */
  | { type: 'deal'; worker: string; round: number; lanes: number[]; attempt: number; reason: DealReason }
  /** The worker is to be told to skip these lanes unless it has begun them: another worker has them. */
  | { type: 'release'; worker: string; round: number; lanes: number[] }
  /** The worker is to be told that nothing of this round is needed any more. */
  | { type: 'abandon'; worker: string; round: number }
  /** These delivered lanes count: no worker has delivered them before. */
  | { type: 'count'; worker: string; round: number; lanes: number[] }
  /** This number of delivered lanes does not count. */
  | { type: 'drop'; worker: string; round: number; lanes: number; reason: string }
  /** Every lane of the round has been counted. */
  | { type: 'complete'; round: number }
  /** The worker is to be disconnected. The actions that follow deal its lanes again. */
  | { type: 'evict'; worker: string; reason: string }
  /** The draining worker owes nothing any more: it is no longer a member and may leave. */
  | { type: 'dismiss'; worker: string }
  /** All workers that the run waits for have joined: training may begin. Comes once in a run. */
  | { type: 'gathered' }
  /** No worker is left. */
  | { type: 'waiting' }
  /** A worker has joined again after `waiting`. */
  | { type: 'goingOn'; waitedMs: number }
  /** The run has waited for workers as long as is allowed. */
  | { type: 'gaveUp'; waitedMs: number; workers: number }

export interface DealerOptions {
  /** Number of workers to wait for before `gathered`. */
  workersWanted: number
  /** A worker that is silent for this long is evicted. */
  silenceLimitMs: number
  /** Longest wait for workers, in milliseconds: for as many as are wanted to begin, later for one. */
  waitLimitMs: number
}
