import type { DealerAction, DealerOptions } from './actions.ts'

/**
 * Workers that are in, against those that the run needs: to begin with, as many as were asked for, then one. A part of the dealer's
 * state machine; `present` is how many are in.
 */
export class Attendance {
  /** The most workers that were in at one time. */
  most = 0
  readonly #options: Pick<DealerOptions, 'workersWanted' | 'waitLimitMs'>
  #gathered = false
  #waitingSince: number | undefined
  #gaveUp = false

  constructor(options: Pick<DealerOptions, 'workersWanted' | 'waitLimitMs'>) {
    this.#options = options
  }

  /** How many workers the run cannot do without now. */
  get wanted(): number {
    return this.#gathered ? 1 : this.#options.workersWanted
  }

  /** Takes note of a worker that has joined. */
  joined(present: number): DealerAction[] {
    this.most = Math.max(this.most, present)
    if (this.#gathered || present < this.wanted) return []
    this.#gathered = true
    this.#waitingSince = undefined
    return [{ type: 'gathered' }]
  }

  /** Tells when waiting begins, ends, or has lasted too long. */
  watch(present: number, now: number): DealerAction[] {
    if (present >= this.wanted) {
      const since = this.#waitingSince
      this.#waitingSince = undefined
      return since === undefined ? [] : [{ type: 'goingOn', waitedMs: now - since }]
    }
    const actions: DealerAction[] = []
    if (this.#waitingSince === undefined && this.#gathered) actions.push({ type: 'waiting' })
    this.#waitingSince ??= now
    const waitedMs = now - this.#waitingSince
    if (waitedMs >= this.#options.waitLimitMs && !this.#gaveUp) {
      this.#gaveUp = true
      actions.push({ type: 'gaveUp', waitedMs, workers: present })
    }
    return actions
  }
}
