/**
 * Who is in, what is dealt, and when a round is complete: a state machine without I/O. Events go in, actions come out;
 * time is read from the events. The same events give the same actions, so a whole cluster can be simulated.
 *
 * A round is one step of training (its units are lanes) or one evaluation (its units are blocks of the test set). Every
 * unit is dealt to one worker at a time, computed at least once, and counted exactly once.
 */

export interface Round {
  /** Grows by one with each round. */
  id: number
  units: number
}

export type DealerEvent =
  | { type: 'joined'; worker: string; now: number }
  | { type: 'lost'; worker: string; reason: string; now: number }
  | { type: 'heard'; worker: string; now: number }
  | { type: 'begin'; round: Round; now: number }
  /** A worker has delivered units begin <= u < end of a round, completely. */
  | { type: 'delivered'; worker: string; round: number; begin: number; end: number; now: number }
  | { type: 'tick'; now: number }

export type DealerAction =
  /** Send work. BEFORE it, the worker must have been sent the weights of this round. */
  | { type: 'deal'; worker: string; round: number; units: number[]; attempt: number }
  /** Count what was delivered: these units were not yet delivered by anyone. */
  | { type: 'count'; worker: string; round: number; units: number[] }
  /** Do not count what was delivered. */
  | { type: 'drop'; worker: string; round: number; units: number; reason: string }
  /** Every unit of the round has been counted. */
  | { type: 'complete'; round: number }
  /** Cut the worker off: it has been silent for too long. Its units are dealt again by actions that follow. */
  | { type: 'evict'; worker: string; silentMs: number }
  /** As many workers as were asked for are in: training may begin. Once in a run. */
  | { type: 'gathered' }

interface Unit {
  holder: string | undefined
  attempt: number
  counted: boolean
}

export interface DealerOptions {
  /** Workers to wait for before `gathered`. */
  workersWanted: number
  /** A worker that is not heard of for this long is evicted. */
  silenceLimitMs: number
}

export interface DealerTotals {
  unitsDelivered: number
  unitsCounted: number
  unitsDealtAgain: number
  workersLost: number
  mostWorkers: number
}

export class Dealer {
  readonly totals: DealerTotals = { unitsDelivered: 0, unitsCounted: 0, unitsDealtAgain: 0, workersLost: 0, mostWorkers: 0 }
  readonly #options: DealerOptions
  /** In order of joining; the value is when the worker was last heard of. */
  readonly #workers = new Map<string, number>()
  #gathered = false
  #round: { id: number; units: Unit[]; open: number } | undefined

  constructor(options: DealerOptions) {
    this.#options = options
  }

  /** Workers that are in, in order of joining. */
  get workers(): string[] {
    return [...this.#workers.keys()]
  }

  /** Units of the current round that a worker still owes. */
  owed(worker: string): number {
    return this.#round?.units.filter((unit) => unit.holder === worker && !unit.counted).length ?? 0
  }

  step(event: DealerEvent): DealerAction[] {
    switch (event.type) {
      case 'joined':
        return this.#joined(event.worker, event.now)
      case 'lost':
        return this.#lost(event.worker)
      case 'heard':
        if (this.#workers.has(event.worker)) this.#workers.set(event.worker, event.now)
        return []
      case 'begin':
        return this.#begin(event.round)
      case 'delivered':
        if (this.#workers.has(event.worker)) this.#workers.set(event.worker, event.now)
        return this.#delivered(event)
      case 'tick':
        return this.#tick(event.now)
    }
  }

  #joined(worker: string, now: number): DealerAction[] {
    if (this.#workers.has(worker)) throw new Error(`worker ${worker} joined twice`)
    this.#workers.set(worker, now)
    this.totals.mostWorkers = Math.max(this.totals.mostWorkers, this.#workers.size)
    const actions: DealerAction[] = []
    if (!this.#gathered && this.#workers.size >= this.#options.workersWanted) {
      this.#gathered = true
      actions.push({ type: 'gathered' })
    }
    return [...actions, ...this.#dealOrphans()]
  }

  #lost(worker: string): DealerAction[] {
    if (!this.#workers.delete(worker)) return []
    this.totals.workersLost++
    for (const unit of this.#round?.units ?? []) {
      if (unit.holder === worker && !unit.counted) {
        unit.holder = undefined
        unit.attempt++
        this.totals.unitsDealtAgain++
      }
    }
    return this.#dealOrphans()
  }

  #begin(round: Round): DealerAction[] {
    if (this.#round !== undefined && this.#round.open > 0) throw new Error(`round ${round.id} begins while round ${this.#round.id} is open`)
    this.#round = {
      id: round.id,
      units: Array.from({ length: round.units }, () => ({ holder: undefined, attempt: 0, counted: false })),
      open: round.units,
    }
    return this.#dealOrphans()
  }

  /** Deals every unit that nobody holds: contiguous runs, since neighbours in the lane tree make one partial, to those that owe least. */
  #dealOrphans(): DealerAction[] {
    const round = this.#round
    if (round === undefined || this.#workers.size === 0) return []
    const orphans = round.units.flatMap((unit, index) => (unit.holder === undefined && !unit.counted ? [index] : []))
    if (orphans.length === 0) return []

    const shares = this.#shares(orphans.length)
    const actions: DealerAction[] = []
    let next = 0
    for (const [worker, share] of shares) {
      const units = orphans.slice(next, next + share)
      next += share
      for (const [attempt, sameAttempt] of groupBy(units, (unit) => round.units[unit].attempt)) {
        actions.push({ type: 'deal', worker, round: round.id, units: sameAttempt, attempt })
      }
      for (const unit of units) round.units[unit].holder = worker
    }
    return actions
  }

  /** How many of `count` more units each worker gets, so that all owe as equally as can be; ties go to who joined first. */
  #shares(count: number): Map<string, number> {
    const owed = new Map(this.workers.map((worker) => [worker, this.owed(worker)]))
    const shares = new Map(this.workers.map((worker) => [worker, 0]))
    for (let i = 0; i < count; i++) {
      let least = this.workers[0]
      for (const [worker, units] of owed) if (units < (owed.get(least) ?? 0)) least = worker
      owed.set(least, (owed.get(least) ?? 0) + 1)
      shares.set(least, (shares.get(least) ?? 0) + 1)
    }
    return shares
  }

  #delivered(event: { worker: string; round: number; begin: number; end: number }): DealerAction[] {
    const { worker, begin, end } = event
    const round = this.#round
    this.totals.unitsDelivered += end - begin
    const drop = (reason: string): DealerAction[] => [{ type: 'drop', worker, round: event.round, units: end - begin, reason }]
    if (!this.#workers.has(worker)) return drop('the worker is no longer in')
    if (round === undefined || round.id !== event.round) return drop('the round is over')

    const fresh: number[] = []
    for (let unit = begin; unit < end; unit++) {
      if (!round.units[unit].counted) {
        round.units[unit].counted = true
        fresh.push(unit)
      }
    }
    if (fresh.length === 0) return drop('the units were counted before')
    round.open -= fresh.length
    this.totals.unitsCounted += fresh.length
    const actions: DealerAction[] = [{ type: 'count', worker, round: round.id, units: fresh }]
    if (round.open === 0) actions.push({ type: 'complete', round: round.id })
    return actions
  }

  #tick(now: number): DealerAction[] {
    const actions: DealerAction[] = []
    for (const [worker, heard] of [...this.#workers]) {
      const silentMs = now - heard
      if (silentMs <= this.#options.silenceLimitMs) continue
      actions.push({ type: 'evict', worker, silentMs }, ...this.#lost(worker))
    }
    return actions
  }
}

function groupBy(units: number[], keyOf: (unit: number) => number): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const unit of units) {
    const key = keyOf(unit)
    groups.set(key, [...(groups.get(key) ?? []), unit])
  }
  return groups
}
