import type { SpanObserver } from '../../shared/trace/span.ts'
import { copyOfState, type OptimizerState } from '../../shared/optim/optimizer.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import type { WeightsBoard } from '../../shared/wire/board.ts'
import type { GradientChunk } from '../../shared/wire/messages.ts'
import type { Member } from '../contract/member.ts'
import type { Model } from '../../shared/optim/stepped_weights.ts'
import { RangeReducer, type ExchangedRun, type StepToReduce, type WholePartial } from './range_reducer.ts'
import type { PhaseSeconds } from '../contract/step_split.ts'
import type { RangeSums, Verdict } from './step_update.ts'

/** Tensor bytes that travelled. */
export interface Traffic {
  received: number
  sent: number
}

/** Where gradients become weights: in this process, or in reducers. */
export interface Reduction extends Weights {
  /** The member gets the weights, and those of every step from now on. */
  join(member: Member): void
  leave(member: Member): void
  begin(step: StepToReduce): void
  /** Takes a gradient chunk that came to the coordinator. @throws ProtocolError when it does not belong here. */
  receive(member: Member, chunk: GradientChunk): void
  /** What the step came to, by range, in the vector's order; settles when all its partials are in everywhere. */
  sums(): Promise<{ begin: number; sums: RangeSums }[]>
  /** Ends the step: it is taken by all, or left out by all. @returns seconds that it took in this process */
  settle(verdict: Verdict): PhaseSeconds
  /**
   * Keeps the weights as they are now, between two steps, for who joins later: they get these first, and then the present ones. Until
   * `end`. Left out where weights are elsewhere.
   */
  readonly evaluation?: { begin(): void; end(): void }
  /** What a member exchanged with reducers in other processes. */
  trafficOf(member: Member): Traffic
  /** Time passes. */
  tick(): void
}

/** Who has the run's weights and moments. */
export interface Weights {
  /**
   * A copy of them, as they are between two steps at the moment of the call, whatever is stepped while it is on its way.
   * @throws RunError when whoever has a part of them is lost.
   */
  snapshot(): Promise<OptimizerState>
  /** As `snapshot`, of the weights alone. */
  parameters(): Promise<Float32Array>
}

/** What a reduction needs of the cluster that it works for. */
export interface ReductionSurroundings {
  tree: LaneTree
  run: ExchangedRun
  /** Seconds on a clock that only goes forward. */
  now: () => number
  onSpan?: SpanObserver
  chunkFloats?: number
  /** A partial is whole, in every range. */
  onPartial: (member: Member, partial: WholePartial) => void
  /** A part of the weights is lost. */
  onFailed: (error: Error) => void
}

export type Reduce = (surroundings: ReductionSurroundings) => Reduction

const NONE: Traffic = { received: 0, sent: 0 }

/** The weights of a model in this process. */
export function weightsOf(model: Model): Weights {
  return {
    snapshot: () => Promise.resolve(copyOfState(model.state)),
    parameters: () => Promise.resolve(model.parameters.slice()),
  }
}

/**
 * The whole vector is reduced in this process.
 * @param version steps of the run that came before the model's weights
 * @param board for workers on this machine
 */
export function reduceHere(model: Model, version: number, board?: WeightsBoard): Reduce {
  return (surroundings) => {
    const reducer = new RangeReducer<Member>({ range: { begin: 0, end: model.layout.size }, model, version, ...surroundings, ...(board === undefined ? {} : { board }) })
    return {
      ...weightsOf(model),
      join: (member) => reducer.join(member),
      leave: (member) => reducer.leave(member),
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
