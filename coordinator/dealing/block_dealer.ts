import { deadlineMs, inSeconds, LONGEST_TICK_MS } from './deadlines.ts'
import { UnitTime } from './speed.ts'

export type BlockEvent =
  /** `usualMs`: how long its first block may take, weights included, as far as earlier evaluations tell. */
  | { type: 'joined'; worker: string; usualMs?: number | undefined; now: number }
  | { type: 'lost'; worker: string; now: number }
  /** The worker wants nothing more. */
  | { type: 'draining'; worker: string; now: number }
  /** A worker has delivered a block, which took it `ms` by its own clock. */
  | { type: 'delivered'; worker: string; block: number; ms: number; now: number }
  /** `atLanes`: workers that have lanes to compute, which come first. */
  | { type: 'tick'; atLanes: ReadonlySet<string>; now: number }

export type BlockAction =
  | { type: 'deal'; worker: string; block: number; attempt: number; takenOver: boolean }
  /** Tell the worker to leave out a block, unless it has begun it: somebody else has it. */
  | { type: 'release'; worker: string; block: number }
  /** Count what was delivered: nobody has delivered the block before. */
  | { type: 'count'; worker: string; block: number }
  | { type: 'drop'; worker: string; block: number }
  /** Every block has been counted: nothing follows. `busy`: who still has one, which is not needed any more. */
  | { type: 'complete'; busy: string[] }
  /** Cut the worker off; that it is lost comes as an event. */
  | { type: 'evict'; worker: string; reason: string }

interface Block {
  holders: number
  attempt: number
  counted: boolean
}

interface Holder {
  name: string
  block: UnitTime
  /** Stands for that of a block as long as none is measured. */
  usualMs: number | undefined
  /** Blocks that it was dealt and has not delivered, in the order of its work. */
  blocks: number[]
  draining: boolean
  /** When it delivered its last block; or when it was dealt one after having none. */
  since: number
  /** The same, but for the time in which it had something better to do. */
  advancedAt: number
}

/** One that is computed and one that is decoded meanwhile: who has computed a block, has the next one at hand. */
const AHEAD = 2
/** A block that takes a worker this many times what it takes another one is computed by that one, too ... */
const LATE = 2
/** ... which is taken to be this long as long as none is measured: a test set may have no more than one. */
const UNMEASURED_MS = 500

/**
 * Deals the blocks of the test set, while lanes are dealt to the same workers or after the last ones: a state machine without I/O
 * beside the dealer. Nobody knows how long a worker will wait between its lanes, so blocks are not shared out: each worker has two,
 * and gets the next one for each that it delivers. When there is none left, a worker that has nothing takes over what others have not
 * begun, and then what they are late with. A block can so be computed more than once; the first result counts, and each is counted
 * exactly once.
 */
export class BlockDealer {
  readonly #blocks: Block[]
  /** In order of joining. */
  readonly #holders = new Map<string, Holder>()
  #open: number
  #last: number | undefined

  constructor(blocks: number) {
    this.#blocks = Array.from({ length: blocks }, () => ({ holders: 0, attempt: 0, counted: false }))
    this.#open = blocks
  }

  /** How many are counted. */
  get done(): number {
    return this.#blocks.length - this.#open
  }

  /** Blocks that a worker has and nobody has delivered. */
  owed(worker: string): number[] {
    return (this.#holders.get(worker)?.blocks ?? []).filter((block) => !this.#blocks[block].counted)
  }

  step(event: BlockEvent): BlockAction[] {
    if (this.#open === 0) return []
    const actions = this.#handle(event)
    return this.#open === 0 ? actions : [...actions, ...this.#dealOpen(event.now)]
  }

  #handle(event: BlockEvent): BlockAction[] {
    switch (event.type) {
      case 'joined':
        this.#holders.set(event.worker, { name: event.worker, block: new UnitTime(), usualMs: event.usualMs, blocks: [], draining: false, since: event.now, advancedAt: event.now })
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

  /** What it may have begun it finishes. */
  #draining(worker: string): BlockAction[] {
    const holder = this.#holders.get(worker)
    if (holder === undefined) return []
    holder.draining = true
    return holder.blocks.slice(1).map((block): BlockAction => {
      this.#take(holder, block)
      return { type: 'release', worker, block }
    })
  }

  /** One holder less: whoever gets the block next computes it again. */
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

  /** A block that has been counted waits for its turn elsewhere in vain. */
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

  /** Everybody gets one before anybody gets two. */
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
      // The dealer watches who has lanes.
      if (atLanes.has(holder.name) || holder.blocks.length === 0) holder.advancedAt = now
      const ms = holder.block.ms ?? holder.usualMs
      const stuckMs = now - holder.advancedAt
      if (ms === undefined || stuckMs <= deadlineMs(ms)) return []
      // Once: until it is lost, it has another chance.
      holder.advancedAt = now
      return [{ type: 'evict', worker: holder.name, reason: `it has computed no block of the test set for ${inSeconds(stuckMs)}` }]
    })
  }
}
