import assert from 'node:assert/strict'
import { Dealer, type DealerAction, type DealerOptions } from '../../../../coordinator/dealing/dealer.ts'

/** A worker on a virtual clock: it computes lane after lane, each in `laneMs`, and delivers each `deliveryMs` later. */
export interface VirtualWorker {
  laneMs: number
  /** True if it delivers all its lanes in one piece, when it has computed all of them. */
  inOnePiece?: boolean
  deliveryMs?: number
  /** Time that passes after each lane and is not reported. */
  untoldMs?: number
  startMs?: number
  /** True if it has stopped: it computes nothing and is not heard. */
  hung?: boolean
}

interface Working extends VirtualWorker {
  deals: { round: number; lane: number; notBefore: number }[]
  at: { round: number; lane: number } | undefined
  /** First lane of those that it has computed and not delivered. */
  kept: number | undefined
}

interface Event {
  at: number
  order: number
  run: () => void
}

const TICK_MS = 100
const HEARTBEAT_MS = 1000

/** A dealer and its workers, without network or processes: they behave as the dealer expects, unless a test changes them. */
export class VirtualCluster {
  readonly dealer: Dealer
  readonly actions: (DealerAction & { now: number })[] = []
  now = 0
  /** Number of times that each lane of the present round was counted. */
  counted: number[] = []
  readonly #workers = new Map<string, Working>()
  #events: Event[] = []
  #order = 0
  #round = 0
  #complete = false

  constructor(options: Partial<DealerOptions> = {}) {
    this.dealer = new Dealer({ workersWanted: 1, silenceLimitMs: 10_000, waitLimitMs: Number.POSITIVE_INFINITY, ...options })
    this.#after(TICK_MS, () => this.#tick())
  }

  join(name: string, worker: VirtualWorker): void {
    const working: Working = { ...worker, deals: [], at: undefined, kept: undefined }
    this.#workers.set(name, working)
    this.#act(this.dealer.step({ type: 'joined', worker: name, now: this.now }))
    const beat = (): void => {
      if (this.#workers.get(name) !== working) return
      if (working.hung !== true) this.#act(this.dealer.step({ type: 'heard', worker: name, now: this.now }))
      this.#after(HEARTBEAT_MS, beat)
    }
    beat()
  }

  /** Changes how a worker computes from its next lane on. */
  change(name: string, change: Partial<VirtualWorker>): void {
    const worker = this.#workers.get(name)
    assert.ok(worker)
    Object.assign(worker, change)
    this.#goOn(name, worker)
  }

  drain(name: string): void {
    this.#act(this.dealer.step({ type: 'draining', worker: name, now: this.now }))
  }

  lose(name: string): void {
    this.#workers.delete(name)
    this.#act(this.dealer.step({ type: 'lost', worker: name, now: this.now }))
  }

  /** Plays rounds one after the other. @returns the milliseconds of each */
  play(rounds: number, lanes = 8, samples = lanes * 8): number[] {
    return Array.from({ length: rounds }, () => {
      const begin = this.now
      this.begin(lanes, samples)
      this.finish()
      return this.now - begin
    })
  }

  /** Plays a round in which something changes every `everyMs`. @returns its milliseconds */
  playChanging(lanes: number, change: () => void, everyMs: number): number {
    const begin = this.now
    this.begin(lanes)
    for (let next = begin; !this.#complete; next += everyMs) {
      change()
      this.until(() => this.#complete || this.now >= next + everyMs)
    }
    return this.now - begin
  }

  begin(lanes = 8, samples = lanes * 8): void {
    this.#round++
    this.#complete = false
    this.counted = new Array<number>(lanes).fill(0)
    this.#act(this.dealer.step({ type: 'begin', round: { id: this.#round, lanes, samples }, now: this.now }))
  }

  /** Lets the clock run until the round is complete. */
  finish(): void {
    this.until(() => this.#complete)
    assert.deepEqual(this.counted, this.counted.map(() => 1), 'every lane is counted exactly once')
  }

  /** Lets the clock run until `done` is true. */
  until(done: () => boolean, limitMs = 1_000_000): void {
    const limit = this.now + limitMs
    while (!done()) {
      const next = this.#events.shift()
      assert.ok(next !== undefined && next.at <= limit, 'the round comes to an end')
      this.now = next.at
      next.run()
    }
  }

  wait(ms: number): void {
    const end = this.now + ms
    this.until(() => this.now >= end)
  }

  /** Lanes that a worker was dealt when the present round began. */
  shareOf(name: string): number[] {
    return this.actions.flatMap((action) => (action.type === 'deal' && action.reason === 'begin' && action.round === this.#round && action.worker === name ? action.lanes : []))
  }

  count(type: DealerAction['type']): number {
    return this.actions.filter((action) => action.type === type).length
  }

  #tick(): void {
    this.#act(this.dealer.step({ type: 'tick', now: this.now }))
    this.#after(TICK_MS, () => this.#tick())
  }

  #act(actions: DealerAction[]): void {
    for (const action of actions) {
      this.actions.push({ ...action, now: this.now })
      const worker = 'worker' in action ? this.#workers.get(action.worker) : undefined
      switch (action.type) {
        case 'deal': {
          const notBefore = this.now + (action.reason === 'begin' ? (worker?.startMs ?? 0) : 0)
          for (const lane of action.lanes) worker?.deals.push({ round: action.round, lane, notBefore })
          if (worker !== undefined) this.#goOn(action.worker, worker)
          break
        }
        case 'release':
          if (worker !== undefined) worker.deals = worker.deals.filter(({ round, lane }) => round !== action.round || !action.lanes.includes(lane))
          break
        case 'abandon':
          if (worker === undefined) break
          worker.deals = worker.deals.filter(({ round }) => round !== action.round)
          if (worker.at === undefined && worker.hung !== true) this.#after(0, () => this.#act(this.dealer.step({ type: 'abandoned', worker: action.worker, round: action.round, now: this.now })))
          break
        case 'count':
          for (const lane of action.lanes) this.counted[lane]++
          break
        case 'complete':
          this.#complete = true
          break
        case 'evict':
        case 'dismiss':
          this.#workers.delete(action.worker)
          break
        default:
      }
    }
  }

  #goOn(name: string, worker: Working): void {
    if (worker.at !== undefined || worker.hung === true) return
    const next = worker.deals.shift()
    if (next === undefined) return
    worker.at = next
    const { round, lane } = next
    const { laneMs, deliveryMs = 0, untoldMs = 0 } = worker
    this.#after(Math.max(0, next.notBefore - this.now) + laneMs + untoldMs, () => {
      worker.at = undefined
      if (worker.hung === true || this.#workers.get(name) !== worker) return
      this.#act(this.dealer.step({ type: 'computed', worker: name, round, lane, ms: laneMs, now: this.now }))
      const begin = worker.kept ?? lane
      const goesOn = worker.inOnePiece === true && worker.deals.some((deal) => deal.round === round && deal.lane === lane + 1)
      worker.kept = goesOn ? begin : undefined
      if (!goesOn) {
        this.#after(deliveryMs, () => {
          if (worker.hung === true) return
          this.#act(this.dealer.step({ type: 'delivered', worker: name, round, begin, end: lane + 1, now: this.now }))
        })
      }
      this.#goOn(name, worker)
    })
  }

  #after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, order: this.#order++, run })
    this.#events.sort((a, b) => a.at - b.at || a.order - b.order)
  }
}
