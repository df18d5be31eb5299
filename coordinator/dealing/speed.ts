/** A round is one step of training (its units are lanes) or one evaluation (its units are blocks of the test set). */
export type RoundKind = 'TRAIN' | 'EVALUATE'

/** Weight of a new sample. */
const NEW = 0.25
/** A sample counts as this many times the estimate at most, and as this part of it at least: a hiccup is no new speed. */
const LARGEST_JUMP = 3

/** An exponentially weighted mean of durations. */
class Estimate {
  ms: number | undefined

  add(sample: number): void {
    const { ms } = this
    if (ms === undefined) this.ms = sample
    else this.ms = ms + NEW * (Math.min(Math.max(sample, ms / LARGEST_JUMP), ms * LARGEST_JUMP) - ms)
  }
}

/** What has been measured of one worker. */
export class Speed {
  readonly #units = { TRAIN: new Estimate(), EVALUATE: new Estimate() }
  readonly #start = new Estimate()
  readonly #delivery = new Estimate()
  readonly #warm = new Set<RoundKind>()

  /** Time for one unit; undefined as long as none is measured. */
  unitMs(kind: RoundKind): number | undefined {
    return this.#units[kind].ms
  }

  /** Time from a round's deal until it can begin to compute; undefined as long as none is measured. */
  get startMs(): number | undefined {
    return this.#start.ms
  }

  /** Time from the end of computing to the arrival of the result; undefined as long as none is measured. */
  get deliveryMs(): number | undefined {
    return this.#delivery.ms
  }

  /** A worker's first unit of a kind is not measured: the engine warms up with it. */
  addUnit(kind: RoundKind, ms: number): void {
    if (this.#warm.has(kind)) this.#units[kind].add(Math.max(0, ms))
    this.#warm.add(kind)
  }

  addStart(ms: number): void {
    this.#start.add(Math.max(0, ms))
  }

  addDelivery(ms: number): void {
    this.#delivery.add(Math.max(0, ms))
  }
}

/** Mean of what is known; undefined when nothing is. */
export function meanOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length
}
