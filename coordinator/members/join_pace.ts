/** Number of times that an identity may join and leave in vain before it has to wait. */
const BURST = 32
/** Time after which it may do so once more. */
const REFILL_MS = 2000
/** A membership of this length is not in vain: whoever joins so seldom costs little. */
const SHORT_MS = 10_000
/** Identities that are kept account of; whoever makes up names fills no memory with them. */
const MOST_IDENTITIES = 1024

interface Account {
  /** Memberships in vain, less those that time has forgiven. */
  spent: number
  at: number
}

/**
 * Slows down who joins and leaves in a loop, each time at the cost of all weights. A membership counts as in vain if it ends within seconds without a
 * gradient: a cluster that starts, or workers that are killed at their work, wait for nothing.
 */
export class JoinPace {
  readonly #now: () => number
  readonly #accounts = new Map<string, Account>()

  /** @param now milliseconds on a monotonic clock */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Returns the milliseconds that an identity must wait before it may join; 0 if it may now. */
  waitMs(identity: string): number {
    return Math.max(0, (this.#spentBy(identity) - BURST + 1) * REFILL_MS)
  }

  /** Notes that a membership has ended. @param openMs milliseconds that it has lasted */
  ended(identity: string, { openMs, gaveGradients }: { openMs: number; gaveGradients: boolean }): void {
    if (gaveGradients || openMs >= SHORT_MS) return
    const spent = Math.min(BURST, this.#spentBy(identity) + 1)
    this.#accounts.delete(identity)
    this.#accounts.set(identity, { spent, at: this.#now() })
    const [oldest] = this.#accounts.keys()
    if (this.#accounts.size > MOST_IDENTITIES) this.#accounts.delete(oldest)
  }

  #spentBy(identity: string): number {
    const account = this.#accounts.get(identity)
    return account === undefined ? 0 : Math.max(0, account.spent - (this.#now() - account.at) / REFILL_MS)
  }
}
