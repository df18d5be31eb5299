import type { DealerAction, DealerEvent, DealerOptions, DealReason, Round } from './actions.ts'
import type { DealerTotals } from '../contract/cluster.ts'
import { deadlineMs, inSeconds, LONGEST_TICK_MS } from './deadlines.ts'
import { expectationOf } from './expectation.ts'
import { fastestShares, runsOf, steadyShares, type Pace, type Shares } from './shares.ts'
import type { RoundKind } from '../contract/rounds.ts'
import { latestStraggler, shouldTakeOver, type Straggler } from './stragglers.ts'
import { WorkerState, type Expected } from './worker_state.ts'

export type { DealerAction, DealerEvent, DealerOptions } from './actions.ts'
export type { DealerTotals } from '../contract/cluster.ts'

interface Unit {
  /** How many workers have it. */
  holders: number
  attempt: number
  counted: boolean
}

interface OpenRound extends Round {
  state: Unit[]
  open: number
  /** Its units are of the usual size. */
  typical: boolean
}

/** Units of a round are of the usual size when they are this part of the largest seen. */
const TYPICAL = 0.9

/**
 * Who is in, what is dealt, and when a round is complete: a state machine without I/O. Events go in, actions come out;
 * time is read from the events. The same events give the same actions, so a whole cluster can be simulated.
 *
 * A round is one step of training (its units are lanes) or one evaluation (its units are blocks of the test set). Units
 * are dealt in proportion to measured speed; who has nothing left to do takes over what a straggler has. So a unit can be
 * computed more than once; the first result counts, and each unit is counted exactly once.
 */
export class Dealer {
  readonly totals: DealerTotals = { unitsDelivered: 0, unitsCounted: 0, unitsDropped: 0, unitsDealtAgain: 0, unitsTakenOver: 0, workersLost: 0, mostWorkers: 0 }
  readonly #options: DealerOptions
  /** In order of joining. */
  readonly #members = new Map<string, WorkerState>()
  #gathered = false
  #round: OpenRound | undefined
  readonly #shares = new Map<RoundKind, Shares>()
  readonly #largest = new Map<RoundKind, number>()
  #last: number | undefined
  #waitingSince: number | undefined
  #gaveUp = false

  constructor(options: DealerOptions) {
    this.#options = options
  }

  /** Workers that are in, in order of joining. */
  get workers(): string[] {
    return [...this.#members.keys()]
  }

  /** True while there are too few workers to begin, or none to go on with. */
  get waiting(): boolean {
    return this.#members.size < this.wanted
  }

  /** How many workers the run cannot do without now: as many as it begins with, then one. */
  get wanted(): number {
    return this.#gathered ? 1 : this.#options.workersWanted
  }

  /** Units of the current round that a worker still owes. */
  owed(worker: string): number {
    return this.#owedUnits(worker).length
  }

  /** True while a worker has units, or is still at one of a round that has ended. */
  isBusy(worker: string): boolean {
    return this.#members.get(worker)?.idle === false
  }

  /** What a worker is at, for people. */
  viewOf(worker: string): { owes: number[]; draining: boolean; laneMs: number | undefined } {
    const member = this.#members.get(worker)
    return { owes: this.#owedUnits(worker), draining: member?.draining === true, laneMs: member?.speed.unitMs('TRAIN') }
  }

  #owedUnits(worker: string): number[] {
    const tasks = this.#members.get(worker)?.tasks ?? []
    return tasks.flatMap(({ unit }) => (this.#round?.state[unit].counted === false ? [unit] : []))
  }

  step(event: DealerEvent): DealerAction[] {
    if (event.type === 'testing') return this.#testing(event)
    this.#forgiveStall(event.now)
    return [...this.#handle(event), ...this.#dismissDrained(), ...this.#helpStragglers(event.now), ...this.#watchWaiting(event.now)]
  }

  /** When nothing came for long, not even a tick, it was the coordinator that hung: nobody else is to blame for that time. */
  #forgiveStall(now: number): void {
    const gapMs = now - (this.#last ?? now)
    this.#last = now
    if (gapMs > LONGEST_TICK_MS) for (const member of this.#members.values()) member.forgive(gapMs)
  }

  #handle(event: Exclude<DealerEvent, { type: 'testing' }>): DealerAction[] {
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
    this.totals.mostWorkers = Math.max(this.totals.mostWorkers, this.#members.size)
    const actions: DealerAction[] = []
    if (!this.#gathered && !this.waiting) {
      this.#gathered = true
      this.#waitingSince = undefined
      actions.push({ type: 'gathered' })
    }
    return [...actions, ...this.#dealOrphans(now)]
  }

  #lost(worker: string, now: number): DealerAction[] {
    const member = this.#members.get(worker)
    if (member === undefined) return []
    this.#members.delete(worker)
    this.totals.workersLost++
    for (const { unit } of member.tasks) {
      const state = this.#round?.state[unit]
      if (state === undefined) continue
      state.holders--
      if (state.holders > 0 || state.counted) continue
      state.attempt++
      this.totals.unitsDealtAgain++
    }
    return this.#dealOrphans(now)
  }

  #begin({ id, kind, units, samples }: Round, now: number): DealerAction[] {
    if (this.#round !== undefined && this.#round.open > 0) throw new Error(`round ${id} begins while round ${this.#round.id} is open`)
    const largest = Math.max(this.#largest.get(kind) ?? 0, samples / units)
    this.#largest.set(kind, largest)
    this.#round = {
      id, kind, units, samples, open: units, typical: samples / units >= TYPICAL * largest,
      state: Array.from({ length: units }, () => ({ holders: 0, attempt: 0, counted: false })),
    }
    const paces = this.#paces((member, { startMs, deliveryMs }) => Math.max(0, startMs + deliveryMs + member.speed.lateMs(kind)))
    if (paces.length === 0) return []
    const shares = steadyShares(paces, units, this.#shares.get(kind))
    this.#shares.set(kind, shares)
    this.#expectEnds(this.#round, shares, now)
    return this.#deal(runsOf([...this.#round.state.keys()], shares), 'begin', now)
  }

  #expectEnds({ typical }: OpenRound, shares: Shares, now: number): void {
    const expectation = typical ? this.#expectation() : undefined
    for (const member of this.#members.values()) {
      const expected = expectation?.(member)
      member.expectEnd(expected && expected.startMs + (shares.get(member.name) ?? 0) * expected.unitMs + expected.deliveryMs, now)
    }
  }

  /** Deals what nobody has to those who are expected to have it done first. */
  #dealOrphans(now: number): DealerAction[] {
    const orphans = this.#round?.state.flatMap(({ holders, counted }, unit) => (holders === 0 && !counted ? [unit] : [])) ?? []
    if (orphans.length === 0) return []
    const paces = this.#paces((member, expected) => Math.max(member.remainingMs(now, expected), expected.deliveryMs))
    if (paces.length === 0) return []
    return this.#deal(runsOf(orphans, fastestShares(paces, orphans.length, false)), 'orphaned', now)
  }

  #deal(runs: Map<string, number[]>, reason: DealReason, now: number): DealerAction[] {
    const round = this.#round
    if (round === undefined) return []
    return [...runs].flatMap(([worker, units]) => {
      this.#members.get(worker)?.give(units, reason === 'begin', now)
      for (const unit of units) round.state[unit].holders++
      return [...groupBy(units, (unit) => round.state[unit].attempt)].map(([attempt, sameAttempt]): DealerAction => ({ type: 'deal', worker, round: round.id, units: sameAttempt, attempt, reason }))
    })
  }

  #computed({ worker, kind, round, unit, ms, now }: Extract<DealerEvent, { type: 'computed' }>): void {
    const member = this.#members.get(worker)
    if (member === undefined) return
    const current = this.#round?.id === round ? this.#round : undefined
    member.measure(kind, ms, current?.typical !== false, now)
    member.advance(now)
    const task = current === undefined ? undefined : member.tasks.find((each) => each.unit === unit)
    if (task === undefined || current === undefined) return
    task.computedAt = now
    // Its result is not needed any more.
    if (current.state[unit].counted) this.#take(member, unit)
  }

  /** A block beside the lanes: who waits for weights at its end has not waited for them since they were dealt. Nothing is dealt for it. */
  #testing({ worker, going, ms, now }: Extract<DealerEvent, { type: 'testing' }>): [] {
    const member = this.#members.get(worker)
    if (member === undefined) return []
    member.testing = going
    if (ms === undefined) return []
    member.speed.addUnit('EVALUATE', ms)
    member.advancedAt = now
    member.heardAt = now
    return []
  }

  #delivered({ worker, round: id, begin, end, now }: Extract<DealerEvent, { type: 'delivered' }>): DealerAction[] {
    const member = this.#members.get(worker)
    const round = this.#round
    this.totals.unitsDelivered += end - begin
    const drop = (reason: string): DealerAction[] => {
      this.totals.unitsDropped += end - begin
      return [{ type: 'drop', worker, round: id, units: end - begin, reason }]
    }
    if (member === undefined) return drop('the worker is no longer in')
    this.#measureDelivery(member, id, begin, end, now)
    member.advance(now)
    if (round === undefined || round.id !== id) return drop('the round is over')

    const fresh: number[] = []
    for (let unit = begin; unit < end; unit++) {
      this.#take(member, unit)
      if (round.state[unit].counted) continue
      round.state[unit].counted = true
      fresh.push(unit)
    }
    if (member.tasks.length === 0) member.ended(round.kind, now)
    if (fresh.length === 0) return drop('the units were counted before')
    round.open -= fresh.length
    this.totals.unitsCounted += fresh.length
    const known = end - begin - fresh.length
    this.totals.unitsDropped += known
    const counted: DealerAction[] = [{ type: 'count', worker, round: round.id, units: fresh }]
    if (known > 0) counted.push({ type: 'drop', worker, round: id, units: known, reason: 'the units were counted before' })
    return [...counted, ...(round.open === 0 ? this.#complete(round, now) : this.#releaseOthers(round, fresh))]
  }

  #measureDelivery(member: WorkerState, round: number, begin: number, end: number, now: number): void {
    if (this.#round?.id !== round) return
    const tasks = member.tasks.filter(({ unit }) => unit >= begin && unit < end)
    const computedAt = tasks.flatMap((task) => task.computedAt ?? [])
    if (computedAt.length > 0 && computedAt.length === tasks.length) return member.speed.addDelivery(now - Math.max(...computedAt))
    // The word that a unit was computed travels on a stream of its own, and can come after its result.
    const unseen = tasks.length - computedAt.length
    if (this.#round.typical) for (let i = 0; i < unseen; i++) member.speed.addUnit(this.#round.kind, (now - member.advancedAt) / unseen)
  }

  #complete(round: OpenRound, now: number): DealerAction[] {
    const busy = [...this.#members.values()].filter((member) => member.tasks.length > 0)
    for (const member of busy) member.endRound(round.kind, now)
    return [{ type: 'complete', round: round.id }, ...busy.map((member): DealerAction => ({ type: 'abandon', worker: member.name, round: round.id }))]
  }

  /** Units that have been counted wait for their turn elsewhere in vain. */
  #releaseOthers(round: OpenRound, counted: readonly number[]): DealerAction[] {
    return [...this.#members.values()].flatMap((member): DealerAction[] => {
      const units = counted.filter((unit) => member.hasAhead(unit))
      for (const unit of units) this.#take(member, unit)
      return units.length === 0 ? [] : [{ type: 'release', worker: member.name, round: round.id, units }]
    })
  }

  /** Who has nothing to do takes over from who is expected to end last, one unit at a time. */
  #helpStragglers(now: number): DealerAction[] {
    const round = this.#round
    if (round === undefined || round.open === 0) return []
    const free = [...this.#members.values()].filter((member) => member.idle && !member.draining)
    const expected = free.length === 0 ? undefined : this.#expectation()
    if (expected === undefined) return []
    const latest = (): Straggler | undefined => latestStraggler(this.#members.values(), now, (unit) => !round.state[unit].counted && round.state[unit].holders === 1, expected)
    const actions: DealerAction[] = []
    let straggler = latest()
    for (const idle of free) {
      if (straggler === undefined || !shouldTakeOver(expected(idle), straggler)) continue
      const { holder, unit } = straggler
      // What the holder has begun, it may still finish first.
      if (holder.hasAhead(unit)) {
        this.#take(holder, unit)
        holder.relieve(expected(holder).unitMs)
        actions.push({ type: 'release', worker: holder.name, round: round.id, units: [unit] })
      }
      round.state[unit].attempt++
      this.totals.unitsTakenOver++
      actions.push(...this.#deal(new Map([[idle.name, [unit]]]), 'takenOver', now))
      straggler = latest()
    }
    return actions
  }

  #take(member: WorkerState, unit: number): void {
    const state = this.#round?.state[unit]
    if (state === undefined || !member.tasks.some((task) => task.unit === unit)) return
    member.remove(unit)
    state.holders--
  }

  #dismissDrained(): DealerAction[] {
    const draining = [...this.#members.values()].filter((member) => member.draining)
    return draining.flatMap((member): DealerAction[] => {
      if (member.testing || this.owed(member.name) > 0) return []
      for (const { unit } of member.tasks) this.#take(member, unit)
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

  /** How long a worker may take without advancing; undefined when it has nothing to do, or before it is measured. */
  #deadlineMs({ idle, computing, testing, speed }: WorkerState): number | undefined {
    if (idle || this.#round === undefined) return undefined
    const unitMs = speed.unitMs(this.#round.kind)
    const blockMs = testing ? speed.unitMs('EVALUATE') : 0
    const computingMs = unitMs === undefined || blockMs === undefined ? undefined : unitMs + blockMs + (speed.startMs ?? 0)
    const usualMs = computing ? computingMs : speed.deliveryMs
    return usualMs === undefined ? undefined : deadlineMs(usualMs)
  }

  #watchWaiting(now: number): DealerAction[] {
    if (!this.waiting) {
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
      actions.push({ type: 'gaveUp', waitedMs, workers: this.#members.size })
    }
    return actions
  }

  #expectation(): ((member: WorkerState) => Expected) | undefined {
    return expectationOf(this.#members.values(), this.#round?.kind ?? 'TRAIN')
  }

  /** Of those who take work. As long as nothing is measured, all are alike, and what a worker owes is what delays it. */
  #paces(base: (member: WorkerState, expected: Expected) => number): Pace[] {
    const expectation = this.#expectation()
    return [...this.#members.values()].filter((member) => !member.draining).map((member) => {
      const expected = expectation?.(member)
      return expected === undefined
        ? { worker: member.name, unitMs: 1, baseMs: this.owed(member.name) }
        : { worker: member.name, unitMs: expected.unitMs, baseMs: base(member, expected) }
    })
  }
}

function groupBy(units: readonly number[], keyOf: (unit: number) => number): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const unit of units) {
    const key = keyOf(unit)
    groups.set(key, [...(groups.get(key) ?? []), unit])
  }
  return groups
}
