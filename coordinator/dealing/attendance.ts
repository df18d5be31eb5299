import type { DealerAction, DealerOptions } from './actions.ts'

/**
 * Compares the number of present workers, `present`, with the number that the run needs: to begin, as many as the run waits for, later
 * one. A part of the dealer's state machine.
 */
export class Attendance {
  /** The most workers that were present at one time. */
  most = 0
  readonly #options: Pick<DealerOptions, 'workersWanted' | 'waitLimitMs'>
  #gathered = false
  #waitingSince: number | undefined
  #gaveUp = false

  constructor(options: Pick<DealerOptions, 'workersWanted' | 'waitLimitMs'>) {
    this.#options = options
  }

  /** Number of workers that the run needs now. */
  get wanted(): number {
    return this.#gathered ? 1 : this.#options.workersWanted
  }

  /** Notes that a worker has joined. */
  joined(present: number): DealerAction[] {
    this.most = Math.max(this.most, present)
    if (this.#gathered || present < this.wanted) return []
    this.#gathered = true
    this.#waitingSince = undefined
    return [{ type: 'gathered' }]
  }

  /** Notices when waiting for workers begins, ends, or has lasted too long. @param now milliseconds on a monotonic clock */
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
