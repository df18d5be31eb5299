import type { DealerAction, DealerEvent, DealerOptions, DealReason, Round } from './actions.ts'
import type { DealerTotals } from '../contract/cluster.ts'
import { Attendance } from './attendance.ts'
import { deadlineMs, inSeconds, LONGEST_TICK_MS } from './deadlines.ts'
import { expectationOf } from './expectation.ts'
import { fastestShares, runsOf, steadyShares, type Pace, type Shares } from './shares.ts'
import { latestStraggler, shouldTakeOver, type Straggler } from './stragglers.ts'
import { WorkerState, type Expected } from './worker_state.ts'

export type { DealerAction, DealerEvent, DealerOptions } from './actions.ts'
export type { DealerTotals } from '../contract/cluster.ts'

interface Lane {
  /** Number of workers that have it. */
  holders: number
  /** Number of times it has been given to another worker. */
  attempt: number
  counted: boolean
}

interface OpenRound extends Round {
  state: Lane[]
  /** Number of lanes that are not counted yet. */
  open: number
  /** True if its lanes are of the usual size. */
  typical: boolean
}

/** Lanes of a round are of the usual size if they have at least this share of the images of the largest lanes seen. */
const TYPICAL = 0.9

/**
 * Decides which workers take part, which lanes they compute, and when a round is complete: a state machine without I/O. Events go in, actions
 * come out; time is read from the events. The same events give the same actions, so a whole cluster can be simulated.
 *
 * A round is one step of training. Its lanes are dealt in proportion to measured speed; a worker that has nothing left to do takes over
 * lanes of a straggler. A lane can therefore be computed more than once; the first result counts, and each lane is counted exactly once.
 * Blocks of the test set have a dealer of their own; `testing` events tell this one which workers compute them.
 */
export class Dealer {
  readonly #totals = { lanesDelivered: 0, lanesCounted: 0, lanesDropped: 0, lanesDealtAgain: 0, lanesTakenOver: 0, workersLost: 0 }
  readonly #options: DealerOptions
  /** The present workers, in order of joining. */
  readonly #members = new Map<string, WorkerState>()
  readonly #attendance: Attendance
  #round: OpenRound | undefined
  /** Number of lanes that each worker got at the beginning of the last round. */
  #shares: Shares | undefined
  /** Largest number of images per lane of any round so far. */
  #largest = 0
  /** Time of the last event. */
  #last: number | undefined

  constructor(options: DealerOptions) {
    this.#options = options
    this.#attendance = new Attendance(options)
  }

  /** Names of the present workers, in order of joining. */
  get workers(): string[] {
    return [...this.#members.keys()]
  }

  /** True while there are too few workers to begin, or none to continue with. */
  get waiting(): boolean {
    return this.#members.size < this.wanted
  }

  /** Number of workers that the run needs now: to begin, as many as it waits for, later one. */
  get wanted(): number {
    return this.#attendance.wanted
  }

  get totals(): DealerTotals {
    return { ...this.#totals, mostWorkers: this.#attendance.most }
  }

  /** Number of lanes of the current round that a worker still owes. */
  owed(worker: string): number {
    return this.#owedLanes(worker).length
  }

  /** True if a worker has lanes, or is still computing one of a round that has ended. */
  isBusy(worker: string): boolean {
    return this.#members.get(worker)?.idle === false
  }

  /** Returns what a worker is doing, for display. `laneMs` is its measured time per lane; undefined before the first measurement. */
  viewOf(worker: string): { owes: number[]; draining: boolean; laneMs: number | undefined } {
    const member = this.#members.get(worker)
    return { owes: this.#owedLanes(worker), draining: member?.draining === true, laneMs: member?.speed.lane.ms }
  }

  /** Returns a worker's usual milliseconds for a block of the test set, waiting for weights included; undefined before the first measurement. */
  blockMs(worker: string): number | undefined {
    const { block, startMs } = this.#members.get(worker)?.speed ?? {}
    return block?.ms === undefined ? undefined : block.ms + (startMs ?? 0)
  }

  /** Returns a worker's usual milliseconds for a lane; undefined before the first measurement. */
  laneMs(worker: string): number | undefined {
    return this.#members.get(worker)?.speed.lane.ms
  }

  #owedLanes(worker: string): number[] {
    const tasks = this.#members.get(worker)?.tasks ?? []
    return tasks.flatMap(({ lane }) => (this.#round?.state[lane].counted === false ? [lane] : []))
  }

  /**
   * Handles an event.
   * @returns the actions to carry out, in this order
   * @throws Error on impossible events: a worker joins twice, a round begins before the last one is complete
   */
  step(event: DealerEvent): DealerAction[] {
    if (event.type === 'testing') return this.#testing(event)
    if (event.type === 'checking') return this.#checking(event)
    this.#forgiveStall(event.now)
    return [...this.#handle(event), ...this.#dismissDrained(), ...this.#helpStragglers(event.now), ...this.#attendance.watch(this.#members.size, event.now)]
  }

  /** Extends all deadlines if no event, not even a tick, came for a long time: the coordinator itself hung, and no worker is to blame. */
  #forgiveStall(now: number): void {
    const gapMs = now - (this.#last ?? now)
    this.#last = now
    if (gapMs > LONGEST_TICK_MS) for (const member of this.#members.values()) member.forgive(gapMs)
  }

  #handle(event: Exclude<DealerEvent, { type: 'testing' | 'checking' }>): DealerAction[] {
    const member = 'worker' in event ? this.#members.get(event.worker) : undefined
    if (member !== undefined) member.heardAt = event.now
    switch (event.type) {
      case 'joined':
        return this.#joined(event.worker, event.now)
      case 'lost':
        return this.#lost(event.worker, event.now)
      case 'heard':
        return []
      case 'draining':
        if (member !== undefined) member.draining = true
        return []
      case 'begin':
        return this.#begin(event.round, event.now)
      case 'computed':
        this.#computed(event)
        return []
      case 'abandoned':
        if (member?.behind === true) member.advance(event.now)
        return []
      case 'delivered':
        return this.#delivered(event)
      case 'tick':
        return this.#evictTheHung(event.now)
    }
  }

  #joined(worker: string, now: number): DealerAction[] {
    if (this.#members.has(worker)) throw new Error(`worker ${worker} joined twice`)
    this.#members.set(worker, new WorkerState(worker, now))
    return [...this.#attendance.joined(this.#members.size), ...this.#dealOrphans(now)]
  }

  #lost(worker: string, now: number): DealerAction[] {
    const member = this.#members.get(worker)
    if (member === undefined) return []
    this.#members.delete(worker)
    this.#totals.workersLost++
    for (const { lane } of member.tasks) {
      const state = this.#round?.state[lane]
      if (state === undefined) continue
      state.holders--
      if (state.holders > 0 || state.counted) continue
      state.attempt++
      this.#totals.lanesDealtAgain++
    }
    return this.#dealOrphans(now)
  }

  #begin({ id, lanes, samples }: Round, now: number): DealerAction[] {
    if (this.#round !== undefined && this.#round.open > 0) throw new Error(`round ${id} begins while round ${this.#round.id} is open`)
    this.#largest = Math.max(this.#largest, samples / lanes)
    this.#round = {
      id, lanes, samples, open: lanes, typical: samples / lanes >= TYPICAL * this.#largest,
      state: Array.from({ length: lanes }, () => ({ holders: 0, attempt: 0, counted: false })),
    }
    const paces = this.#paces((member, { startMs, deliveryMs }) => Math.max(0, startMs + deliveryMs + member.speed.lateMs))
    if (paces.length === 0) return []
    const shares = steadyShares(paces, lanes, this.#shares)
    this.#shares = shares
    this.#expectEnds(this.#round, shares, now)
    return this.#deal(runsOf([...this.#round.state.keys()], shares), 'begin', now)
  }

  #expectEnds({ typical }: OpenRound, shares: Shares, now: number): void {
    const expectation = typical ? this.#expectation() : undefined
    for (const member of this.#members.values()) {
      const expected = expectation?.(member)
      member.expectEnd(expected && expected.startMs + (shares.get(member.name) ?? 0) * expected.laneMs + expected.deliveryMs, now)
    }
  }

  /** Deals lanes that no worker holds to the workers that are expected to finish them first. */
  #dealOrphans(now: number): DealerAction[] {
    const orphans = this.#round?.state.flatMap(({ holders, counted }, lane) => (holders === 0 && !counted ? [lane] : [])) ?? []
    if (orphans.length === 0) return []
    const paces = this.#paces((member, expected) => Math.max(member.remainingMs(now, expected), expected.deliveryMs))
    if (paces.length === 0) return []
    return this.#deal(runsOf(orphans, fastestShares(paces, orphans.length, false)), 'orphaned', now)
  }

  #deal(runs: Map<string, number[]>, reason: DealReason, now: number): DealerAction[] {
    const round = this.#round
    if (round === undefined) return []
    return [...runs].flatMap(([worker, lanes]) => {
      this.#members.get(worker)?.give(round.id, lanes, reason === 'begin', now)
      for (const lane of lanes) round.state[lane].holders++
      return [...groupBy(lanes, (lane) => round.state[lane].attempt)].map(([attempt, sameAttempt]): DealerAction => ({ type: 'deal', worker, round: round.id, lanes: sameAttempt, attempt, reason }))
    })
  }

  #computed({ worker, round, lane, ms, now }: Extract<DealerEvent, { type: 'computed' }>): void {
    const member = this.#members.get(worker)
    if (member === undefined) return
    const current = this.#round?.id === round ? this.#round : undefined
    const dealtAt = member.dealt.computed(round, lane)
    if (dealtAt === undefined) return
    // A lane cannot have taken longer than since it was dealt, whatever the worker says.
    member.measure(Math.min(ms, now - dealtAt), current?.typical !== false, now)
    member.advance(now)
    const task = current === undefined ? undefined : member.tasks.find((each) => each.lane === lane)
    if (task === undefined || current === undefined) return
    task.computedAt = now
    // Another worker has delivered the lane: this result is not needed any more.
    if (current.state[lane].counted) this.#take(member, lane)
  }

  /**
   * Notes a block of the test set beside the lanes. A delivered block counts as progress: the worker has not been waiting for weights while it
   * computed. The event causes no actions.
   */
  #testing({ worker, going, ms, now }: Extract<DealerEvent, { type: 'testing' }>): [] {
    const member = this.#members.get(worker)
    if (member === undefined) return []
    member.testing = going
    if (ms === undefined) return []
    member.speed.block.add(ms)
    member.advancedAt = now
    member.heardAt = now
    return []
  }

  /** Notes a check beside the lanes; its end counts as progress. The event causes no actions. */
  #checking({ worker, lanes, now }: Extract<DealerEvent, { type: 'checking' }>): [] {
    const member = this.#members.get(worker)
    if (member === undefined) return []
    if (lanes === 0) [member.advancedAt, member.heardAt] = [now, now]
    member.checking = lanes
    return []
  }

  #delivered({ worker, round: id, begin, end, now }: Extract<DealerEvent, { type: 'delivered' }>): DealerAction[] {
    const member = this.#members.get(worker)
    const round = this.#round
    this.#totals.lanesDelivered += end - begin
    const drop = (reason: string): DealerAction[] => {
      this.#totals.lanesDropped += end - begin
      return [{ type: 'drop', worker, round: id, lanes: end - begin, reason }]
    }
    if (member === undefined) return drop('the worker is no longer in')
    this.#measureDelivery(member, id, begin, end, now)
    if (member.dealt.delivered(id, begin, end)) member.advance(now)
    if (round === undefined || round.id !== id) return drop('the round is over')

    const fresh: number[] = []
    for (let lane = begin; lane < end; lane++) {
      this.#take(member, lane)
      if (round.state[lane].counted) continue
      round.state[lane].counted = true
      fresh.push(lane)
    }
    if (member.tasks.length === 0) member.ended(now)
    if (fresh.length === 0) return drop('the lanes were counted before')
    round.open -= fresh.length
    this.#totals.lanesCounted += fresh.length
    const known = end - begin - fresh.length
    this.#totals.lanesDropped += known
    const counted: DealerAction[] = [{ type: 'count', worker, round: round.id, lanes: fresh }]
    if (known > 0) counted.push({ type: 'drop', worker, round: id, lanes: known, reason: 'the lanes were counted before' })
    return [...counted, ...(round.open === 0 ? this.#complete(round, now) : this.#releaseOthers(round, fresh))]
  }

  #measureDelivery(member: WorkerState, round: number, begin: number, end: number, now: number): void {
    if (this.#round?.id !== round) return
    const tasks = member.tasks.filter(({ lane }) => lane >= begin && lane < end)
    const computedAt = tasks.flatMap((task) => task.computedAt ?? [])
    if (computedAt.length > 0 && computedAt.length === tasks.length) return member.speed.addDelivery(now - Math.max(...computedAt))
    // The message that a lane was computed travels on another stream than its result, and can come after it.
    const unseen = tasks.length - computedAt.length
    if (this.#round.typical) for (let i = 0; i < unseen; i++) member.speed.lane.add((now - member.advancedAt) / unseen)
  }

  #complete(round: OpenRound, now: number): DealerAction[] {
    const busy = [...this.#members.values()].filter((member) => member.tasks.length > 0)
    for (const member of busy) member.endRound(now)
    return [{ type: 'complete', round: round.id }, ...busy.map((member): DealerAction => ({ type: 'abandon', worker: member.name, round: round.id }))]
  }

  /** Releases other workers from counted lanes that they have not begun. */
  #releaseOthers(round: OpenRound, counted: readonly number[]): DealerAction[] {
    return [...this.#members.values()].flatMap((member): DealerAction[] => {
      const lanes = counted.filter((lane) => member.hasAhead(lane))
      for (const lane of lanes) this.#take(member, lane)
      return lanes.length === 0 ? [] : [{ type: 'release', worker: member.name, round: round.id, lanes }]
    })
  }

  /** Lets idle workers take over lanes of the worker that is expected to finish last, one lane at a time. */
  #helpStragglers(now: number): DealerAction[] {
    const round = this.#round
    if (round === undefined || round.open === 0) return []
    const free = [...this.#members.values()].filter((member) => member.idle && !member.draining)
    const expected = free.length === 0 ? undefined : this.#expectation()
    if (expected === undefined) return []
    const latest = (): Straggler | undefined => latestStraggler(this.#members.values(), now, (lane) => !round.state[lane].counted && round.state[lane].holders === 1, expected)
    const actions: DealerAction[] = []
    let straggler = latest()
    for (const idle of free) {
      if (straggler === undefined || !shouldTakeOver(expected(idle), straggler)) continue
      const { holder, lane } = straggler
      // A lane that the holder has begun stays with it too: it may still finish first.
      if (holder.hasAhead(lane)) {
        this.#take(holder, lane)
        holder.relieve(expected(holder).laneMs)
        actions.push({ type: 'release', worker: holder.name, round: round.id, lanes: [lane] })
      }
      round.state[lane].attempt++
      this.#totals.lanesTakenOver++
      actions.push(...this.#deal(new Map([[idle.name, [lane]]]), 'takenOver', now))
      straggler = latest()
    }
    return actions
  }

  #take(member: WorkerState, lane: number): void {
    const state = this.#round?.state[lane]
    if (state === undefined || !member.tasks.some((task) => task.lane === lane)) return
    member.remove(lane)
    state.holders--
  }

  #dismissDrained(): DealerAction[] {
    const draining = [...this.#members.values()].filter((member) => member.draining)
    return draining.flatMap((member): DealerAction[] => {
      if (member.testing || this.owed(member.name) > 0) return []
      for (const { lane } of member.tasks) this.#take(member, lane)
      this.#members.delete(member.name)
      return [{ type: 'dismiss', worker: member.name }]
    })
  }

  #evictTheHung(now: number): DealerAction[] {
    return [...this.#members.values()].flatMap((member): DealerAction[] => {
      const silentMs = now - member.heardAt
      const stuckMs = now - member.advancedAt
      const givenMs = this.#deadlineMs(member)
      if (silentMs > this.#options.silenceLimitMs) {
        return [{ type: 'evict', worker: member.name, reason: `nothing was heard of it for ${inSeconds(silentMs)}` }, ...this.#lost(member.name, now)]
      }
      if (givenMs !== undefined && stuckMs > givenMs) {
        return [{ type: 'evict', worker: member.name, reason: `it has not advanced for ${inSeconds(stuckMs)}; it is given ${inSeconds(givenMs)}` }, ...this.#lost(member.name, now)]
      }
      return []
    })
  }

  /** Returns the milliseconds for which a worker may make no progress; undefined if it has nothing to do. */
  #deadlineMs({ idle, computing, testing, checking, speed }: WorkerState): number | undefined {
    if (idle || this.#round === undefined) return undefined
    const laneMs = speed.lane.ms
    const blockMs = testing ? speed.block.ms : 0
    const computingMs = laneMs === undefined || blockMs === undefined ? undefined : laneMs * (1 + checking) + blockMs + (speed.startMs ?? 0)
    const usualMs = computing ? computingMs : speed.deliveryMs
    return deadlineMs(usualMs)
  }

  #expectation(): ((member: WorkerState) => Expected) | undefined {
    return expectationOf(this.#members.values())
  }

  /** Returns the paces of all workers that take work. Before any measurement, all are taken to be equally fast, delayed by the lanes they owe. */
  #paces(base: (member: WorkerState, expected: Expected) => number): Pace[] {
    const expectation = this.#expectation()
    return [...this.#members.values()].filter((member) => !member.draining).map((member) => {
      const expected = expectation?.(member)
      return expected === undefined
        ? { worker: member.name, laneMs: 1, baseMs: this.owed(member.name) }
        : { worker: member.name, laneMs: expected.laneMs, baseMs: base(member, expected) }
    })
  }
}

function groupBy(lanes: readonly number[], keyOf: (lane: number) => number): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const lane of lanes) {
    const key = keyOf(lane)
    groups.set(key, [...(groups.get(key) ?? []), lane])
  }
  return groups
}
