import { ProtocolError } from '../../shared/kit/errors.ts'
import { blockCount, blockSamples } from '../../shared/evaluation/blocks.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { CoordinatorMessage, EvaluationResult } from '../../shared/wire/messages.ts'
import type { BlockResult } from '../contract/cluster.ts'
import { BlockDealer, type BlockAction, type BlockEvent } from '../dealing/block_dealer.ts'
import type { RunEvent } from '../contract/events.ts'
import { requireBegun, roundOf } from '../contract/rounds.ts'
import { sendDeal } from './deal.ts'

export interface EvaluationParts {
  /** Sample ids of the test set. */
  test: readonly number[]
  /** Number of the network's classes. */
  classes: number
  /** Milliseconds on a monotonic clock. */
  now: () => number
  /** Sends a message to a present worker. */
  send: (worker: string, message: CoordinatorMessage) => void
  evict: (worker: string, reason: string) => void
  /** Called when a worker may be computing a block (`going`) or no longer is; `ms` is the time of a block that it has just delivered. */
  onTesting: (worker: string, going: boolean, ms?: number) => void
  observe: (event: RunEvent) => void
}

/** An evaluation in progress. */
interface Open {
  /** Number of its round on the wire. */
  round: number
  at: StepPosition
  dealer: BlockDealer
  /** Results that have come, by block. */
  blocks: BlockResult[]
  /** Called when every block is counted. */
  complete: (blocks: BlockResult[]) => void
}

/**
 * Evaluations of the test set, one after the other, during training or between two steps: carries out the decisions of the dealer of
 * blocks, and collects the results.
 */
export class Evaluation {
  readonly #parts: EvaluationParts
  #open: Open | undefined
  /** The evaluation that began last, whose results can still come when it is complete. */
  #last: Pick<Open, 'round' | 'dealer'> | undefined

  constructor(parts: EvaluationParts) {
    this.#parts = parts
  }

  get isOpen(): boolean {
    return this.#open !== undefined
  }

  /**
   * Begins an evaluation without any workers; `join` adds them.
   * @returns results in the order of blocks; settles when all have come
   */
  begin(at: StepPosition): Promise<BlockResult[]> {
    const round = roundOf('EVALUATE', at)
    const dealer = new BlockDealer(blockCount(this.#parts.test))
    this.#last = { round, dealer }
    return new Promise((complete) => {
      this.#open = { round, at, dealer, blocks: [], complete }
    })
  }

  /** Returns the blocks that a worker has been dealt and no worker has delivered. */
  owed(worker: string): number[] {
    return this.#open?.dealer.owed(worker) ?? []
  }

  /** Adds a worker. @param usualMs usual milliseconds for its first block; undefined if unknown */
  join(worker: string, usualMs: number | undefined): void {
    this.#step({ type: 'joined', worker, usualMs, now: this.#parts.now() })
  }

  lose(worker: string): void {
    this.#step({ type: 'lost', worker, now: this.#parts.now() })
  }

  drain(worker: string): void {
    this.#step({ type: 'draining', worker, now: this.#parts.now() })
  }

  /** Advances the time. @param atLanes workers that have lanes to compute */
  tick(atLanes: ReadonlySet<string>): void {
    this.#step({ type: 'tick', atLanes, now: this.#parts.now() })
  }

  /**
   * Takes a result of a worker.
   * @throws ProtocolError if it does not fit the test set, its evaluation has not begun, or the worker was not dealt the block or has
   * delivered it before
   */
  deliver(worker: string, result: EvaluationResult): void {
    this.#requireFit(result)
    const { test, now, onTesting, observe } = this.#parts
    const { round, block, seconds, lossSum, predicted, probability } = result
    const ms = this.#timeOf(worker, round, block, seconds * 1000)
    const open = this.#open?.round === round ? this.#open : undefined
    const actions = ms === undefined ? [] : open?.dealer.step({ type: 'delivered', worker, block, ms, now: now() }) ?? []
    onTesting(worker, this.owed(worker).length > 0, ms)
    if (open === undefined) return observe({ type: 'dropped', worker, units: 1, reason: 'the evaluation is over' })
    if (actions.some(({ type }) => type === 'count')) {
      open.blocks[block] = { lossSum, predicted, probability }
      observe({ type: 'testing', done: open.dealer.done, total: blockCount(test) })
    }
    for (const action of actions) this.#act(open, action)
  }

  /**
   * Returns the milliseconds that a result took, by the worker's clock and at most since the block was dealt; undefined for a result of an
   * evaluation before the last one.
   */
  #timeOf(worker: string, round: number, block: number, ms: number): number | undefined {
    if (this.#last?.round !== round) return undefined
    const dealtAt = this.#last.dealer.noteResult(worker, block)
    if (dealtAt === undefined) throw new ProtocolError(`a result of test block ${block}, which was not dealt to it`)
    return Math.min(ms, this.#parts.now() - dealtAt)
  }

  /** Notes that a worker has ended what it had begun of an evaluation. @throws ProtocolError if the evaluation has not begun */
  abandoned(worker: string, round: number): void {
    requireBegun('EVALUATE', round, this.#lastRound, 'the end of an abandoned evaluation')
    // A message about an earlier evaluation does not tell whether the worker is computing a block now.
    if (round === this.#lastRound) this.#parts.onTesting(worker, false)
  }

  get #lastRound(): number {
    return this.#last?.round ?? -1
  }

  #requireFit({ round, block, predicted }: EvaluationResult): void {
    const { test, classes } = this.#parts
    requireBegun('EVALUATE', round, this.#lastRound, 'the result of a test block')
    if (block >= blockCount(test)) throw new ProtocolError(`test block ${block} is none of ${blockCount(test)}`)
    if (predicted.length !== blockSamples(test, block).length || predicted.some((label) => label >= classes)) {
      throw new ProtocolError(`the result of test block ${block} does not fit the test set`)
    }
  }

  #step(event: Exclude<BlockEvent, { type: 'delivered' }>): void {
    const open = this.#open
    if (open !== undefined) for (const action of open.dealer.step(event)) this.#act(open, action)
  }

  #act({ round, at, blocks, complete }: Open, action: BlockAction): void {
    const { send, evict, onTesting, observe } = this.#parts
    switch (action.type) {
      case 'deal': {
        const { worker, block, attempt, takenOver } = action
        onTesting(worker, true)
        sendDeal(worker, { kind: 'EVALUATE', round, ...at, attempt, units: [block] }, takenOver, { send, observe })
        break
      }
      case 'release':
        send(action.worker, { message: 'release', release: { round, units: [action.block] } })
        break
      case 'count':
        // The result is counted in `deliver`.
        break
      case 'drop':
        observe({ type: 'dropped', worker: action.worker, units: 1, reason: 'the block was counted before' })
        break
      case 'complete':
        this.#open = undefined
        // Each of these workers says when it has ended what it had begun.
        for (const worker of action.busy) send(worker, { message: 'abandon', abandon: { round } })
        complete(blocks)
        break
      case 'evict':
        evict(action.worker, action.reason)
        break
    }
  }
}
