/** A gradient whose norm is this many times the usual one is suspicious ... */
const JUMP = 10
/** ... once so many norms are known, of which the last so many are compared. */
const LEAST_NORMS = 20
const NORMS = 50
/** A result that came in less than this share of the time that the fastest other worker usually takes is suspicious ... */
const TOO_SOON = 0.25
/** ... unless it proved right so often: the machine is that fast. */
const CLEARED = 3
/** Weight of a new time in a moving average. */
const NEW = 0.25

/**
 * Reasons to check a whole step before it is taken: a lie that does harm at once is large, and one that saves work comes too soon. A suspicion accuses
 * nobody, since checks are exact: it costs one computation more.
 */
export class Suspicions {
  #norms: number[] = []
  /** Usual milliseconds for a lane of each identity, from the deal to the arrival. */
  readonly #usual = new Map<string, number>()
  /** Number of times that an identity was too soon, and right. */
  readonly #cleared = new Map<string, number>()

  /** Takes the norm of a step's gradient. @returns true if it is far above those before */
  normJumps(norm: number): boolean {
    const known = this.#norms.toSorted((a, b) => a - b)
    this.#norms = [...this.#norms, norm].slice(-NORMS)
    return known.length >= LEAST_NORMS && norm > JUMP * known[Math.floor(known.length / 2)]
  }

  /**
   * Takes the time that a worker took for some lanes.
   * @param ms milliseconds from the deal of the first of them to the arrival of their sum
   * @returns true if nobody else comes near that
   */
  tooSoon(identity: string, lanes: number, ms: number): boolean {
    const own = ms / lanes
    const others = [...this.#usual].flatMap(([name, usual]) => (name === identity ? [] : [usual]))
    const before = this.#usual.get(identity) ?? own
    this.#usual.set(identity, before + NEW * (own - before))
    return (this.#cleared.get(identity) ?? 0) < CLEARED && others.length > 0 && own < TOO_SOON * Math.min(...others)
  }

  /** Forgets how fast an identity is: it has left, and another one may come under a new name each time. */
  forget(identity: string): void {
    this.#usual.delete(identity)
    this.#cleared.delete(identity)
  }

  /** Notes that a result which came too soon was right. */
  clear(identity: string): void {
    this.#cleared.set(identity, (this.#cleared.get(identity) ?? 0) + 1)
  }
}
