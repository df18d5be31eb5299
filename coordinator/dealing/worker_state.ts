import { DealtLanes } from './dealt_lanes.ts'
import { Speed } from './speed.ts'

/** A lane that a worker has been dealt and has not delivered. */
export interface Task {
  lane: number
  /** Time at which the worker reported it as computed; its result is then on the way. Undefined before. */
  computedAt: number | undefined
}

/** Times that are expected of a worker: those measured of it, or else the mean of the others. */
export interface Expected {
  /** Time from the deal of a round until the worker can begin to compute, while the weights are on their way. */
  startMs: number
  /** Time for one lane. */
  laneMs: number
  /** Time from the end of computing to the arrival of the result. */
  deliveryMs: number
}

/** A present worker, and what the dealer believes it to be doing. Times are in milliseconds on the clock of the dealer's events. */
export class WorkerState {
  readonly name: string
  readonly speed = new Speed()
  /** Time of the last sign of life. */
  heardAt: number
  /** True if it finishes what it has, and gets no more work. */
  draining = false
  /** Lanes that it was dealt in this round and has not delivered, in the order in which it computes them. */
  tasks: Task[] = []
  /** What it was dealt in this round and the one before, delivered or not. */
  readonly dealt = new DealtLanes()
  /** Time of its last progress: a lane computed or delivered, a test block delivered, or lanes dealt to it while it had none. */
  advancedAt: number
  /** True if it was computing when its round ended and has made no progress since: it may still be computing that lane. */
  behind = false
  /** True if it may be computing a block of the test set, which its lanes then wait for. */
  testing = false
  /** Number of lanes that it may be computing for a check, which its own lanes then wait for. */
  checking = 0
  /** Time by which it is expected to have delivered all that it was dealt at the beginning of the round. */
  #dueAt: number | undefined
  /** True if it has been dealt lanes of a round whose weights it must wait for, and has computed none yet. */
  #starting = false

  constructor(name: string, now: number) {
    this.name = name
    this.heardAt = now
    this.advancedAt = now
  }

  get idle(): boolean {
    return this.tasks.length === 0 && !this.behind
  }

  /** True if it is computing; false if at most results are on their way. */
  get computing(): boolean {
    return this.behind || this.tasks.some((task) => task.computedAt === undefined)
  }

  /** True if it has the lane and has not begun it: it can still be told to skip it. */
  hasAhead(lane: number): boolean {
    const task = this.tasks.find((each) => each.lane === lane)
    return task?.computedAt === undefined && task !== undefined && task !== this.tasks.find((each) => each.computedAt === undefined)
  }

  /** Adds lanes that it is dealt. @param starting true if it must wait for weights first */
  give(round: number, lanes: readonly number[], starting: boolean, now: number): void {
    this.dealt.give(round, lanes, now)
    this.#starting = starting && this.idle
    if (this.idle) this.advancedAt = now
    for (const lane of lanes) this.tasks.push({ lane, computedAt: undefined })
  }

  remove(lane: number): void {
    this.tasks = this.tasks.filter((task) => task.lane !== lane)
  }

  /** Sets when it is due, as a round begins. @param ms expected time for all that it is dealt; undefined if unknown */
  expectEnd(ms: number | undefined, now: number): void {
    this.#dueAt = ms === undefined || this.behind ? undefined : now + ms
  }

  /** Makes it due earlier by one lane, which was given to another worker. */
  relieve(laneMs: number): void {
    if (this.#dueAt !== undefined) this.#dueAt -= laneMs
  }

  /** Measures how late it is, since it has delivered all that it was dealt. */
  ended(now: number): void {
    if (this.#dueAt !== undefined) this.speed.addLate(now - this.#dueAt)
    this.#dueAt = undefined
  }

  advance(now: number): void {
    this.advancedAt = now
    this.behind = false
    this.#starting = false
  }

  /** Moves all its times forward by a period in which the coordinator hung. */
  forgive(ms: number): void {
    this.heardAt += ms
    this.advancedAt += ms
    if (this.#dueAt !== undefined) this.#dueAt += ms
  }

  /** Takes the time that a lane took by the worker's clock. @param typical false for lanes that are smaller than usual */
  measure(ms: number, typical: boolean, now: number): void {
    if (typical) this.speed.lane.add(ms)
    if (this.#starting) this.speed.addStart(now - this.advancedAt - ms)
  }

  /** Drops all its lanes, since the round is over. If it is already later than usual, that much lateness is measured. */
  endRound(now: number): void {
    if (this.#dueAt !== undefined && now - this.#dueAt > this.speed.lateMs) this.ended(now)
    this.#dueAt = undefined
    this.behind = this.computing
    this.tasks = []
  }

  /**
   * Returns the milliseconds until it is expected to have delivered all its lanes. An overdue worker is expected to take as long again as
   * it is overdue.
   */
  remainingMs(now: number, { startMs, laneMs, deliveryMs }: Expected): number {
    const elapsed = now - this.advancedAt
    const uncomputed = this.tasks.filter((task) => task.computedAt === undefined).length
    const present = Math.abs((this.#starting ? startMs : 0) + laneMs - elapsed)
    if (uncomputed > 0) return present + (uncomputed - 1) * laneMs + deliveryMs
    if (this.behind) return present
    return this.tasks.length > 0 ? Math.abs(deliveryMs - elapsed) : 0
  }
}
