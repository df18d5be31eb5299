import { Speed } from './speed.ts'

/** A lane that a worker is at, or will be. */
export interface Task {
  lane: number
  /** When it was told to be computed; its result is then on the way. */
  computedAt: number | undefined
}

/** What is expected of a worker: measured of it, or else the mean of the others. */
export interface Expected {
  /** From a round's deal until it can begin to compute: the weights are on their way. */
  startMs: number
  laneMs: number
  /** From the end of computing to the arrival of the result. */
  deliveryMs: number
}

/** A worker that is in, and what the dealer believes it to be doing. */
export class WorkerState {
  readonly name: string
  readonly speed = new Speed()
  heardAt: number
  /** It finishes what it has, and gets nothing more. */
  draining = false
  /** What it was dealt in this round and has not delivered, in the order of its work. */
  tasks: Task[] = []
  /** When it was last seen to advance: a lane computed or delivered; or when it was dealt lanes after having none. */
  advancedAt: number
  /** It was computing when its round ended, and has not been seen to advance since: it may still be at that lane. */
  behind = false
  /** It may be at a block of the test set, which its lanes then wait for. */
  testing = false
  /** When it is expected to have delivered what it was dealt as a round began. */
  #dueAt: number | undefined
  /** It has been dealt lanes of a round for which it must wait for weights, and has computed none yet. */
  #starting = false

  constructor(name: string, now: number) {
    this.name = name
    this.heardAt = now
    this.advancedAt = now
  }

  get idle(): boolean {
    return this.tasks.length === 0 && !this.behind
  }

  /** True while it computes; false when at most results are on their way. */
  get computing(): boolean {
    return this.behind || this.tasks.some((task) => task.computedAt === undefined)
  }

  /** True when the lane waits for its turn: the worker can still be told to leave it out. */
  hasAhead(lane: number): boolean {
    const task = this.tasks.find((each) => each.lane === lane)
    return task?.computedAt === undefined && task !== undefined && task !== this.tasks.find((each) => each.computedAt === undefined)
  }

  /** @param starting it must wait for weights first. */
  give(lanes: readonly number[], starting: boolean, now: number): void {
    this.#starting = starting && this.idle
    if (this.idle) this.advancedAt = now
    for (const lane of lanes) this.tasks.push({ lane, computedAt: undefined })
  }

  remove(lane: number): void {
    this.tasks = this.tasks.filter((task) => task.lane !== lane)
  }

  /** As a round begins. @param ms it is expected to take for all that it is dealt; undefined when nobody can tell */
  expectEnd(ms: number | undefined, now: number): void {
    this.#dueAt = ms === undefined || this.behind ? undefined : now + ms
  }

  /** A lane that it has not begun was given to somebody else. */
  relieve(laneMs: number): void {
    if (this.#dueAt !== undefined) this.#dueAt -= laneMs
  }

  /** It has delivered all that it was dealt. */
  ended(now: number): void {
    if (this.#dueAt !== undefined) this.speed.addLate(now - this.#dueAt)
    this.#dueAt = undefined
  }

  advance(now: number): void {
    this.advancedAt = now
    this.behind = false
    this.#starting = false
  }

  /** The coordinator did not listen for a while. */
  forgive(ms: number): void {
    this.heardAt += ms
    this.advancedAt += ms
    if (this.#dueAt !== undefined) this.#dueAt += ms
  }

  /** Takes what the worker says of a lane's time. @param typical false for lanes that are smaller than usual */
  measure(ms: number, typical: boolean, now: number): void {
    if (typical) this.speed.lane.add(ms)
    if (this.#starting) this.speed.addStart(now - this.advancedAt - ms)
  }

  /** The round is over: nothing that it has is needed any more. It is at least as late as it is now. */
  endRound(now: number): void {
    if (this.#dueAt !== undefined && now - this.#dueAt > this.speed.lateMs) this.ended(now)
    this.#dueAt = undefined
    this.behind = this.computing
    this.tasks = []
  }

  /**
   * How long it is expected to take until all that it has is delivered. Who is overdue is expected to take as long
   * again as it is overdue.
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
