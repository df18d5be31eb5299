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

/** A mean and its mean deviation. */
class Margin {
  #mean = 0
  #deviation = 0

  /** Mean and mean deviation together: most samples are below it, by whatever much they vary (Jacobson, Congestion Avoidance and Control, 1988). */
  get ms(): number {
    return this.#mean + this.#deviation
  }

  add(sample: number): void {
    const error = sample - this.#mean
    this.#mean += NEW * error
    this.#deviation += NEW * (Math.abs(error) - this.#deviation)
  }
}

/** The time that a worker takes for a lane, or for a block of the test set. */
export class UnitTime {
  readonly #estimate = new Estimate()
  #warm = false

  /** Undefined as long as none is measured. */
  get ms(): number | undefined {
    return this.#estimate.ms
  }

  /** A worker's first one is not measured: the engine warms up with it. */
  add(ms: number): void {
    if (this.#warm) this.#estimate.add(Math.max(0, ms))
    this.#warm = true
  }
}

/** What has been measured of one worker. */
export class Speed {
  readonly lane = new UnitTime()
  /** A block of the test set. */
  readonly block = new UnitTime()
  readonly #start = new Estimate()
  readonly #delivery = new Estimate()
  readonly #late = new Margin()

  /** Time from a round's deal until it can begin to compute; undefined as long as none is measured. */
  get startMs(): number | undefined {
    return this.#start.ms
  }

  /** Time from the end of computing to the arrival of the result; undefined as long as none is measured. */
  get deliveryMs(): number | undefined {
    return this.#delivery.ms
  }

  /** By how much its rounds end later than lane, start and delivery let expect, at most times; negative when they end earlier. */
  get lateMs(): number {
    return this.#late.ms
  }

  addStart(ms: number): void {
    this.#start.add(Math.max(0, ms))
  }

  addDelivery(ms: number): void {
    this.#delivery.add(Math.max(0, ms))
  }

  /** More than a lane's time counts as that: it is a hiccup, or else a new speed, which the lanes tell. */
  addLate(ms: number): void {
    const most = this.lane.ms ?? 0
    this.#late.add(Math.min(Math.max(ms, -most), most))
  }
}

/** Mean of what is known; undefined when nothing is. */
export function meanOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length
}
