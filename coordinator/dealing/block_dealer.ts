import { deadlineMs, inSeconds, LONGEST_TICK_MS } from './deadlines.ts'
import { UnitTime } from './speed.ts'

export type BlockEvent =
  /** A worker takes part from now on. `usualMs`: the usual time for its first block, weights included, if earlier evaluations measured it. */
  | { type: 'joined'; worker: string; usualMs?: number | undefined; now: number }
  | { type: 'lost'; worker: string; now: number }
  /** The worker is to get no more work. */
  | { type: 'draining'; worker: string; now: number }
  /** A worker has delivered a block, which took it `ms` by its own clock. */
  | { type: 'delivered'; worker: string; block: number; ms: number; now: number }
  /** Time has passed. `atLanes`: workers that have lanes to compute, which come before blocks. */
  | { type: 'tick'; atLanes: ReadonlySet<string>; now: number }

export type BlockAction =
  | { type: 'deal'; worker: string; block: number; attempt: number; takenOver: boolean }
  /** The worker is to be told to skip a block unless it has begun it: another worker has it, or has delivered it. */
  | { type: 'release'; worker: string; block: number }
  /** The delivered block counts: no worker has delivered it before. */
  | { type: 'count'; worker: string; block: number }
  /** The delivered block does not count. */
  | { type: 'drop'; worker: string; block: number }
  /** Every block has been counted: nothing follows. `busy`: workers that still have a block, which is not needed any more. */
  | { type: 'complete'; busy: string[] }
  /** The worker is to be disconnected; a `lost` event follows. */
  | { type: 'evict'; worker: string; reason: string }

interface Block {
  holders: number
  attempt: number
  counted: boolean
}

interface Holder {
  name: string
  block: UnitTime
  /** Time for a block until one is measured, in milliseconds. */
  usualMs: number | undefined
  /** Blocks that it was dealt and has not delivered, in the order in which it computes them. */
  blocks: number[]
  /** Every block that it was dealt and has not delivered, also those that were taken from it again, with the time at which it was dealt. */
  dealt: Map<number, number>
  draining: boolean
  /** Time at which it delivered its last block, or was dealt one while it had none. */
  since: number
  /** Time of its last progress with blocks: as `since`, but not before the last moment at which it had lanes to compute, or no block. */
  advancedAt: number
}

/** Number of blocks that a worker has: one is computed while the images of the next one are decoded. */
const AHEAD = 2
/** A block is late, and also computed by an idle worker, after this many times the idle worker's own time for a block ... */
const LATE = 2
/** ... which is taken to be this until one is measured: a test set may have no more than one block. */
const UNMEASURED_MS = 500

/**
 * Deals the blocks of the test set, while lanes are dealt to the same workers or after the last lanes: a state machine without I/O
 * beside the dealer of lanes. The time that a worker will wait between its lanes is unknown, so blocks are not divided up in advance: each
 * worker has two, and gets another for each that it delivers. If none is left, an idle worker takes over a block that another has not
 * begun, or else one that another is late with. A block can therefore be computed more than once; the first result counts, and each
 * block is counted exactly once.
 */
export class BlockDealer {
  readonly #blocks: Block[]
  /** Workers that take part, in order of joining. */
  readonly #holders = new Map<string, Holder>()
  /** Number of blocks that are not counted yet. */
  #open: number
  /** Time of the last tick. */
  #last: number | undefined

  constructor(blocks: number) {
    this.#blocks = Array.from({ length: blocks }, () => ({ holders: 0, attempt: 0, counted: false }))
    this.#open = blocks
  }

  /** Number of blocks that are counted. */
  get done(): number {
    return this.#blocks.length - this.#open
  }

  /** Blocks that a worker has and no worker has delivered. */
  owed(worker: string): number[] {
    return (this.#holders.get(worker)?.blocks ?? []).filter((block) => !this.#blocks[block].counted)
  }

  /**
   * Takes note of a result, also of one that comes after the last block is counted.
   * @returns time at which the worker was dealt the block; undefined if it was not, or has delivered it before
   */
  noteResult(worker: string, block: number): number | undefined {
    const dealt = this.#holders.get(worker)?.dealt
    const at = dealt?.get(block)
    dealt?.delete(block)
    return at
  }

  /** Handles an event. @returns the actions to carry out, in this order; none once every block is counted */
  step(event: BlockEvent): BlockAction[] {
    if (this.#open === 0) return []
    const actions = this.#handle(event)
    return this.#open === 0 ? actions : [...actions, ...this.#dealOpen(event.now)]
  }

  #handle(event: BlockEvent): BlockAction[] {
    switch (event.type) {
      case 'joined':
        this.#holders.set(event.worker, { name: event.worker, block: new UnitTime(), usualMs: event.usualMs, blocks: [], dealt: new Map(), draining: false, since: event.now, advancedAt: event.now })
        return []
      case 'lost':
        this.#lost(event.worker)
        return []
      case 'draining':
        return this.#draining(event.worker)
      case 'delivered':
        return this.#delivered(event)
      case 'tick':
        return this.#evictTheHung(event.atLanes, event.now)
    }
  }

  #lost(worker: string): void {
    const holder = this.#holders.get(worker)
    this.#holders.delete(worker)
    for (const block of holder?.blocks ?? []) this.#letGo(block)
  }

  /** Releases a worker from all blocks but the first, which it may have begun and finishes. */
  #draining(worker: string): BlockAction[] {
    const holder = this.#holders.get(worker)
    if (holder === undefined) return []
    holder.draining = true
    return holder.blocks.slice(1).map((block): BlockAction => {
      this.#take(holder, block)
      return { type: 'release', worker, block }
    })
  }

  /** Notes that a holder of the block is lost. If no worker holds it any more, it is dealt again as the next attempt. */
  #letGo(block: number): void {
    const state = this.#blocks[block]
    state.holders--
    if (state.holders === 0 && !state.counted) state.attempt++
  }

  #delivered({ worker, block, ms, now }: Extract<BlockEvent, { type: 'delivered' }>): BlockAction[] {
    const state = this.#blocks[block]
    const holder = this.#holders.get(worker)
    if (holder !== undefined) {
      holder.block.add(ms)
      holder.since = now
      holder.advancedAt = now
      if (holder.blocks.includes(block)) this.#take(holder, block)
    }
    if (holder === undefined || state.counted) return [{ type: 'drop', worker, block }]
    state.counted = true
    this.#open--
    const counted: BlockAction = { type: 'count', worker, block }
    if (this.#open > 0) return [counted, ...this.#releaseOthers(block)]
    return [counted, { type: 'complete', busy: [...this.#holders.values()].filter(({ blocks }) => blocks.length > 0).map(({ name }) => name) }]
  }

  /** Releases other workers from a counted block that they have not begun. */
  #releaseOthers(block: number): BlockAction[] {
    return [...this.#holders.values()].flatMap((holder): BlockAction[] => {
      if (holder.blocks.indexOf(block) < 1) return []
      this.#take(holder, block)
      return [{ type: 'release', worker: holder.name, block }]
    })
  }

  #take(holder: Holder, block: number): void {
    holder.blocks = holder.blocks.filter((other) => other !== block)
    this.#blocks[block].holders--
  }

  /** Deals blocks that no worker has. Every worker gets one before any gets two. */
  #dealOpen(now: number): BlockAction[] {
    const actions: BlockAction[] = []
    const takers = [...this.#holders.values()].filter(({ draining }) => !draining)
    for (let wanted = 1; wanted <= AHEAD; wanted++) {
      for (const holder of takers.filter(({ blocks }) => blocks.length < wanted)) {
        const block = this.#blocks.findIndex(({ holders, counted }) => holders === 0 && !counted)
        if (block >= 0) actions.push(this.#deal(holder, block, false, now))
        else if (holder.blocks.length === 0) actions.push(...this.#takeOver(holder, now))
      }
    }
    return actions
  }

  #deal(holder: Holder, block: number, takenOver: boolean, now: number): BlockAction {
    if (holder.blocks.length === 0) [holder.since, holder.advancedAt] = [now, now]
    holder.blocks.push(block)
    holder.dealt.set(block, now)
    this.#blocks[block].holders++
    return { type: 'deal', worker: holder.name, block, attempt: this.#blocks[block].attempt, takenOver }
  }

  /** Deals to an idle worker a block that another has not begun, or else one that another is late with. */
  #takeOver(idle: Holder, now: number): BlockAction[] {
    const isOpen = (block: number): boolean => !this.#blocks[block].counted && this.#blocks[block].holders === 1
    const others = [...this.#holders.values()].filter((other) => other !== idle)
    const ahead = others.find(({ blocks }) => blocks.length > 1 && isOpen(blocks[blocks.length - 1]))
    const ms = idle.block.ms ?? UNMEASURED_MS
    const late = others.find(({ blocks, since }) => blocks.length > 0 && isOpen(blocks[0]) && now - since > LATE * ms)
    const holder = ahead ?? late
    if (holder === undefined) return []
    const block = ahead === undefined ? holder.blocks[0] : holder.blocks[holder.blocks.length - 1]
    const released: BlockAction[] = ahead === undefined ? [] : [{ type: 'release', worker: holder.name, block }]
    if (ahead !== undefined) this.#take(holder, block)
    this.#blocks[block].attempt++
    return [...released, this.#deal(idle, block, true, now)]
  }

  #evictTheHung(atLanes: ReadonlySet<string>, now: number): BlockAction[] {
    const gapMs = now - (this.#last ?? now)
    this.#last = now
    return [...this.#holders.values()].flatMap((holder): BlockAction[] => {
      if (gapMs > LONGEST_TICK_MS) holder.advancedAt += gapMs
      // The dealer of lanes watches the workers that have lanes.
      if (atLanes.has(holder.name) || holder.blocks.length === 0) holder.advancedAt = now
      const stuckMs = now - holder.advancedAt
      if (stuckMs <= deadlineMs(holder.block.ms ?? holder.usualMs)) return []
      // The worker is evicted once, not at every tick until its loss is reported.
      holder.advancedAt = now
      return [{ type: 'evict', worker: holder.name, reason: `it has computed no block of the test set for ${inSeconds(stuckMs)}` }]
    })
  }
}
