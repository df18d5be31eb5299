/** A lane that a worker has been dealt, whatever has become of it. */
interface DealtLane {
  /** Time at which it was dealt last. */
  at: number
  /** True if the worker has reported it as computed since. */
  computed: boolean
  /** True if the worker has delivered it. */
  delivered: boolean
}

/** The lanes of one round that a worker has been dealt, also those that were taken from it again. */
interface DealtRound {
  id: number
  lanes: Map<number, DealtLane>
}

/**
 * What a worker has been dealt in its last two rounds. A message is progress only if it is about something that the worker was dealt and
 * has not reported before: a worker that repeats itself, or tells of other lanes, is not taken for one that works.
 */
export class DealtLanes {
  /** The newest round first. */
  #rounds: DealtRound[] = []

  give(round: number, lanes: readonly number[], now: number): void {
    if (this.#rounds[0]?.id !== round) this.#rounds = [{ id: round, lanes: new Map() }, ...this.#rounds.slice(0, 1)]
    for (const lane of lanes) this.#rounds[0].lanes.set(lane, { at: now, computed: false, delivered: false })
  }

  /**
   * Takes the report that a lane has been computed.
   * @returns time at which the lane was dealt; undefined if it was not, or was reported before
   */
  computed(round: number, lane: number): number | undefined {
    const dealt = this.#find(round, lane)
    if (dealt === undefined || dealt.computed) return undefined
    dealt.computed = true
    return dealt.at
  }

  /** Takes the delivery of lanes begin <= lane < end. @returns true if it has a lane that was dealt and had not been delivered */
  delivered(round: number, begin: number, end: number): boolean {
    let isNew = false
    for (let lane = begin; lane < end; lane++) {
      const dealt = this.#find(round, lane)
      if (dealt === undefined || dealt.delivered) continue
      dealt.delivered = true
      isNew = true
    }
    return isNew
  }

  #find(round: number, lane: number): DealtLane | undefined {
    return this.#rounds.find(({ id }) => id === round)?.lanes.get(lane)
  }
}
