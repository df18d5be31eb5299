/** Weight of a new sample in a moving average. */
const NEW = 0.25
/** Largest factor by which a sample may be above or below the estimate; it is clamped to that, since a hiccup is no new speed. */
const LARGEST_JUMP = 3

/** Exponential moving average of durations in milliseconds; undefined before the first sample. */
class Estimate {
  ms: number | undefined

  add(sample: number): void {
    const { ms } = this
    // One sample that is not finite would stay in the average for ever.
    if (!Number.isFinite(sample)) return
    if (ms === undefined) this.ms = sample
    else this.ms = ms + NEW * (Math.min(Math.max(sample, ms / LARGEST_JUMP), ms * LARGEST_JUMP) - ms)
  }
}

/** Exponential moving averages of a value and of its absolute deviation. */
class Margin {
  #mean = 0
  #deviation = 0

  /** Mean plus mean deviation: most samples are below it, however much they vary (Jacobson, Congestion Avoidance and Control, 1988). */
  get ms(): number {
    return this.#mean + this.#deviation
  }

  add(sample: number): void {
    const error = sample - this.#mean
    this.#mean += NEW * error
    this.#deviation += NEW * (Math.abs(error) - this.#deviation)
  }
}

/** Time that a worker takes for a lane, or for a block of the test set. */
export class UnitTime {
  readonly #estimate = new Estimate()
  #warm = false

  /** Estimate in milliseconds; undefined before the first measurement. */
  get ms(): number | undefined {
    return this.#estimate.ms
  }

  /** Adds a measurement. The first one of a worker is ignored, since the engine warms up during it. */
  add(ms: number): void {
    if (this.#warm) this.#estimate.add(Math.max(0, ms))
    this.#warm = true
  }
}

/** Measured times of one worker. */
export class Speed {
  readonly lane = new UnitTime()
  /** Time for a block of the test set. */
  readonly block = new UnitTime()
  readonly #start = new Estimate()
  readonly #delivery = new Estimate()
  readonly #late = new Margin()

  /** Time from the deal of a round until the worker can begin to compute; undefined before the first measurement. */
  get startMs(): number | undefined {
    return this.#start.ms
  }

  /** Time from the end of computing to the arrival of the result; undefined before the first measurement. */
  get deliveryMs(): number | undefined {
    return this.#delivery.ms
  }

  /** Time by which most of its rounds end at most later than lane, start and delivery times predict; negative if they end earlier. */
  get lateMs(): number {
    return this.#late.ms
  }

  addStart(ms: number): void {
    this.#start.add(Math.max(0, ms))
  }

  addDelivery(ms: number): void {
    this.#delivery.add(Math.max(0, ms))
  }

  /** Adds a lateness, clamped to the time of one lane: more is a hiccup, or else a new speed, which the lane times show. */
  addLate(ms: number): void {
    const most = this.lane.ms ?? 0
    this.#late.add(Math.min(Math.max(ms, -most), most))
  }
}

/** Mean of the values that are defined; undefined if there are none. */
export function meanOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length
}
