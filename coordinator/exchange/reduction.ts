import type { SpanObserver } from '../../shared/trace/span.ts'
import { copyOfState, type OptimizerState } from '../../shared/optim/optimizer.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import type { WeightsBoard } from '../../shared/wire/board.ts'
import type { GradientChunk } from '../../shared/wire/messages.ts'
import type { Member } from '../contract/member.ts'
import type { Model } from '../../shared/optim/stepped_weights.ts'
import { RangeReducer, type Deposit, type ExchangedRun, type StepToReduce, type UnfinishedPartial, type WholePartial } from './range_reducer.ts'
import type { PhaseSeconds } from '../contract/step_split.ts'
import type { RangeSums, Verdict } from './step_update.ts'

/** Numbers of tensor bytes exchanged. */
export interface Traffic {
  received: number
  sent: number
}

/** The part of a cluster that turns gradients into weights, in this process or in reducers. */
export interface Reduction extends Weights {
  /** Adds a member, which gets the current weights and those of every step from now on. */
  join(member: Member): void
  leave(member: Member): void
  /** Notes that a member is dealt lanes of a round, before it is told: partials of any other lanes are not taken from it. */
  dealt(member: Member, round: number, lanes: readonly number[]): void
  begin(step: StepToReduce): void
  /** Takes a gradient chunk that came to the coordinator. @throws ProtocolError if it does not belong here */
  receive(member: Member, chunk: GradientChunk): void
  /** Returns the sums of the open step by range, in the vector's order. Settles when every range has all partials. */
  sums(): Promise<{ begin: number; sums: RangeSums }[]>
  /** Ends the step: all ranges take it, or all skip it. @returns seconds that this took in this process */
  settle(verdict: Verdict): PhaseSeconds
  /**
   * Support for an evaluation beside training. `begin`, called between two steps, keeps the current weights until `end`: members that join
   * meanwhile get these first, and then the newest. Undefined if the weights are in other processes.
   */
  readonly evaluation?: { begin(): void; end(): void }
  /** Returns the bytes that a member has exchanged with reducers in other processes. */
  trafficOf(member: Member): Traffic
  /** Advances the time; called about ten times a second. */
  tick(): void
}

/** Access to the run's weights and optimizer moments. */
export interface Weights {
  /**
   * Copies weights and moments of the whole vector as they are after the last step that was settled before the call; later steps do not
   * affect the copy.
   * @throws RunError if a reducer, and with it a part of the state, is lost
   */
  snapshot(): Promise<OptimizerState>
  /** Copies the weights alone, otherwise like `snapshot`. @returns shape [parameters] */
  parameters(): Promise<Float32Array>
}

/** Everything that a reduction needs from its cluster. */
export interface ReductionSurroundings {
  tree: LaneTree
  run: ExchangedRun
  /** Seconds on a monotonic clock. */
  now: () => number
  onSpan?: SpanObserver
  /** Floats per chunk on the wire; undefined means the default. */
  chunkFloats?: number
  /** Called when a partial has arrived completely, in every range. */
  onPartial: (member: Member, partial: WholePartial) => void
  /** Called when a member has left in the middle of a partial of the open step. */
  onUnfinished: (member: Member, partial: UnfinishedPartial) => void
  /** Called with each part of a member's partial that was offered to the sum, in steps with a key; before `onPartial`, and before `sums` settles. */
  onDeposit: (member: Member, deposit: Deposit) => void
  /** Called when a part of the weights is lost. */
  onFailed: (error: Error) => void
}

export type Reduce = (surroundings: ReductionSurroundings) => Reduction

const NONE: Traffic = { received: 0, sent: 0 }

/** Gives access to the weights of a model in this process. */
export function weightsOf(model: Model): Weights {
  return {
    snapshot: () => Promise.resolve(copyOfState(model.state)),
    parameters: () => Promise.resolve(model.parameters.slice()),
  }
}

/**
 * Gives access to weights that may be kept: a snapshot comes when it is known that no step before it is wrong.
 * @param confirmed settles when the checks of all steps before the call are decided; rejects if one of them is wrong
 */
export function confirmedWeights(weights: Weights, confirmed: () => Promise<void>): Weights {
  return {
    parameters: () => weights.parameters(),
    snapshot: async () => {
      const [state] = await Promise.all([weights.snapshot(), confirmed()])
      return state
    },
  }
}

/**
 * Reduces the whole vector in this process.
 * @param version version of the model's weights: the number of steps already taken
 * @param board shared memory for the weights of workers on this machine
 */
export function reduceHere(model: Model, version: number, board?: WeightsBoard): Reduce {
  return (surroundings) => {
    const reducer = new RangeReducer<Member>({ range: { begin: 0, end: model.layout.size }, model, version, ...surroundings, ...(board === undefined ? {} : { board }) })
    return {
      ...weightsOf(model),
      join: (member) => reducer.join(member),
      leave: (member) => reducer.leave(member),
      dealt: (member, round, lanes) => reducer.dealt(member, round, lanes),
      begin: (step) => reducer.begin(step),
      receive: (member, chunk) => reducer.receive(member, chunk),
      sums: () => {
        const { sums } = reducer
        if (sums === undefined) throw new Error('the dealer has counted lanes that are not in')
        return Promise.resolve([{ begin: 0, sums }])
      },
      settle: (verdict) => reducer.settle(verdict),
      evaluation: { begin: () => reducer.keepWeights(), end: () => reducer.forgetWeights() },
      trafficOf: () => NONE,
      tick: () => undefined,
    }
  }
}
