import { blockCount } from '../../shared/evaluation/blocks.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { CoordinatorMessage, EvaluationResult } from '../../shared/wire/messages.ts'
import type { BlockResult, DealerTotals } from '../contract/cluster.ts'
import { BlockDealer, type BlockAction, type BlockEvent } from '../dealing/block_dealer.ts'
import type { RunEvent } from '../contract/events.ts'
import { roundOf } from '../contract/rounds.ts'

export interface EvaluationBesideParts {
  at: StepPosition
  test: readonly number[]
  totals: DealerTotals
  /** To a worker that is in. */
  send: (worker: string, message: CoordinatorMessage) => void
  evict: (worker: string, reason: string) => void
  /** A worker may be at a block, or has delivered its last one, which took it so long. */
  onTesting: (worker: string, going: boolean, ms?: number) => void
  observe: (event: RunEvent) => void
  /** Every block is counted. @param blocks in their order */
  onDone: (blocks: BlockResult[]) => void
}

/** One evaluation that goes on while training does: carries out what the dealer of blocks decides, and collects the results. */
export class EvaluationBeside {
  /** Names it on the wire. */
  readonly round: number
  readonly #parts: EvaluationBesideParts
  readonly #dealer: BlockDealer
  readonly #blocks: BlockResult[] = []

  constructor(parts: EvaluationBesideParts) {
    this.#parts = parts
    this.round = roundOf('EVALUATE', parts.at)
    this.#dealer = new BlockDealer(blockCount(parts.test), parts.totals)
  }

  /** Blocks that a worker has been dealt and has not delivered. */
  owed(worker: string): number[] {
    return this.#dealer.owed(worker)
  }

  step(event: Exclude<BlockEvent, { type: 'delivered' }>): void {
    this.#carryOut(this.#dealer.step(event))
  }

  /** Takes a result that fits the test set. */
  deliver(worker: string, { block, seconds, lossSum, predicted, probability }: EvaluationResult, now: number): void {
    const actions = this.#dealer.step({ type: 'delivered', worker, block, ms: seconds * 1000, now })
    this.#parts.onTesting(worker, this.#dealer.owed(worker).length > 0, seconds * 1000)
    this.#carryOut(actions, () => {
      this.#blocks[block] = { lossSum, predicted, probability }
      this.#parts.observe({ type: 'testing', done: this.#dealer.done, total: blockCount(this.#parts.test) })
    })
  }

  #carryOut(actions: readonly BlockAction[], count?: () => void): void {
    for (const action of actions) this.#act(action, count)
  }

  #act(action: BlockAction, count?: () => void): void {
    const { at, send, evict, onTesting, observe, onDone } = this.#parts
    const { round } = this
    switch (action.type) {
      case 'deal': {
        const { worker, block, attempt, takenOver } = action
        if (takenOver) observe({ type: 'takenOver', kind: 'EVALUATE', worker, step: at.step, units: [block], attempt })
        else if (attempt > 0) observe({ type: 'dealtAgain', kind: 'EVALUATE', worker, step: at.step, units: [block], attempt })
        observe({ type: 'dealt', worker, kind: 'EVALUATE', units: [block] })
        onTesting(worker, true)
        send(worker, { message: 'deal', deal: { kind: 'EVALUATE', round, ...at, attempt, units: [block] } })
        break
      }
      case 'release':
        send(action.worker, { message: 'release', release: { round, units: [action.block] } })
        break
      case 'count':
        count?.()
        break
      case 'drop':
        observe({ type: 'dropped', worker: action.worker, units: 1, reason: 'the block was counted before' })
        break
      case 'complete':
        // They say when they have ended what they had begun.
        for (const worker of action.busy) send(worker, { message: 'abandon', abandon: { round } })
        onDone(this.#blocks)
        break
      case 'evict':
        evict(action.worker, action.reason)
        break
    }
  }
}
