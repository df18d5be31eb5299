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
  test: readonly number[]
  /** Of the network. */
  classes: number
  /** Milliseconds on a clock that only goes forward. */
  now: () => number
  /** To a worker that is in. */
  send: (worker: string, message: CoordinatorMessage) => void
  evict: (worker: string, reason: string) => void
  /** A worker may be at a block, or has delivered its last one, which took it so long. */
  onTesting: (worker: string, going: boolean, ms?: number) => void
  observe: (event: RunEvent) => void
}

/** An evaluation that goes on. */
interface Open {
  /** Names it on the wire. */
  round: number
  at: StepPosition
  dealer: BlockDealer
  /** What has come, by block. */
  blocks: BlockResult[]
  /** Every block is counted. */
  complete: (blocks: BlockResult[]) => void
}

/**
 * Evaluations of the test set, one after the other, whether training goes on beside them or not: carries out what the dealer of blocks
 * decides, and collects the results.
 */
export class Evaluation {
  readonly #parts: EvaluationParts
  #open: Open | undefined
  /** Round of the evaluation that began last. */
  #lastRound = -1

  constructor(parts: EvaluationParts) {
    this.#parts = parts
  }

  get isOpen(): boolean {
    return this.#open !== undefined
  }

  /**
   * Begins an evaluation, with nobody at it yet: workers are told of by `join`.
   * @returns results in the order of blocks, when all are in
   */
  begin(at: StepPosition): Promise<BlockResult[]> {
    const round = roundOf('EVALUATE', at)
    this.#lastRound = round
    return new Promise((complete) => {
      this.#open = { round, at, dealer: new BlockDealer(blockCount(this.#parts.test)), blocks: [], complete }
    })
  }

  /** Blocks that a worker has been dealt and nobody has delivered. */
  owed(worker: string): number[] {
    return this.#open?.dealer.owed(worker) ?? []
  }

  /** @param usualMs how long a worker's first block may take, where that is known */
  join(worker: string, usualMs: number | undefined): void {
    this.#step({ type: 'joined', worker, usualMs, now: this.#parts.now() })
  }

  lose(worker: string): void {
    this.#step({ type: 'lost', worker, now: this.#parts.now() })
  }

  drain(worker: string): void {
    this.#step({ type: 'draining', worker, now: this.#parts.now() })
  }

  /** @param atLanes workers that have lanes to compute */
  tick(atLanes: ReadonlySet<string>): void {
    this.#step({ type: 'tick', atLanes, now: this.#parts.now() })
  }

  /** Takes a result of a worker. @throws ProtocolError when it does not fit the test set, or its evaluation has not begun. */
  deliver(worker: string, result: EvaluationResult): void {
    this.#requireFit(result)
    const { test, now, onTesting, observe } = this.#parts
    const { round, block, seconds, lossSum, predicted, probability } = result
    const open = this.#open?.round === round ? this.#open : undefined
    const actions = open?.dealer.step({ type: 'delivered', worker, block, ms: seconds * 1000, now: now() }) ?? []
    onTesting(worker, this.owed(worker).length > 0, seconds * 1000)
    if (open === undefined) return observe({ type: 'dropped', worker, units: 1, reason: 'the evaluation is over' })
    if (actions.some(({ type }) => type === 'count')) {
      open.blocks[block] = { lossSum, predicted, probability }
      observe({ type: 'testing', done: open.dealer.done, total: blockCount(test) })
    }
    for (const action of actions) this.#act(open, action)
  }

  /** What a worker had begun of an evaluation has ended. @throws ProtocolError when that has not begun */
  abandoned(worker: string, round: number): void {
    requireBegun('EVALUATE', round, this.#lastRound, 'the end of an abandoned evaluation')
    // Of an earlier one, it tells nothing of whether the worker is at a block now.
    if (round === this.#lastRound) this.#parts.onTesting(worker, false)
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
        // Where the result is at hand.
        break
      case 'drop':
        observe({ type: 'dropped', worker: action.worker, units: 1, reason: 'the block was counted before' })
        break
      case 'complete':
        this.#open = undefined
        // They say when they have ended what they had begun.
        for (const worker of action.busy) send(worker, { message: 'abandon', abandon: { round } })
        complete(blocks)
        break
      case 'evict':
        evict(action.worker, action.reason)
        break
    }
  }
}
