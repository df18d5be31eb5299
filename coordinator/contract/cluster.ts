import type { MemberView } from '../../live/view.ts'
import type { EngineInfo } from '../../shared/engine/engine.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { UpdateNumbers } from '../../shared/optim/optimizer.ts'
import type { PhaseSeconds } from './step_split.ts'

/** Who computes: workers behind sockets, or this very process. The result is the same. */
export interface Cluster {
  /** Settles when as many workers are in as the run waits for. */
  gathered(): Promise<void>
  /**
   * One step: gradients of every lane, all-reduced, stepped by the optimizer, committed to the run's model; or left out,
   * with the model as it was, when the gradient is not finite.
   * @param numbers of this update: steps that were left out do not count
   */
  trainStep(at: StepPosition, numbers: UpdateNumbers): Promise<StepResult>
  /** Runs the whole test set through the model, between two steps. @returns results in the order of blocks */
  evaluate(at: StepPosition): Promise<BlockResult[]>
  /**
   * The same with the weights of this moment, while steps go on: the same results. Left out where nothing is gained by it, or
   * weights are in reducers. One evaluation at a time.
   */
  readonly evaluateBeside?: ((at: StepPosition) => Promise<BlockResult[]>) | undefined
  /** Ends: workers are told that the run has finished, or why it stops. */
  close(outcome: { finished: boolean; reason: string }): Promise<void>
  readonly status: ClusterStatus
}

/** What became of a step. */
export interface StepResult {
  /** What the lanes reported, in the order of lanes. */
  lanes: LaneReport[]
  /** When the sum over all lanes is not finite: the first parameter of the layout where it is not. */
  notFinite: string | undefined
  /** Norm (L2) of the mean gradient over the batch; of no meaning where it is not finite. */
  gradientNorm: number
  /** What the coordinator itself spent; of several reducers, what the one did that worked longest. */
  phases: PhaseSeconds
  /** Who computed each lane. */
  computedBy: string[]
}

/** One block of the test set. */
export interface BlockResult {
  /** Cross entropy summed over the block, in float64. */
  lossSum: number
  /** For each sample: the class with the largest logit, and its probability. */
  predicted: number[]
  probability: number[]
}

/** Units that were dealt to workers, counted since the run began. */
export interface DealerTotals {
  unitsDelivered: number
  unitsCounted: number
  unitsDropped: number
  /** Because their holder was lost. */
  unitsDealtAgain: number
  /** From stragglers, by who had nothing to do. */
  unitsTakenOver: number
  workersLost: number
  mostWorkers: number
}

export interface ClusterStatus {
  workers: number
  /** How many the run begins with. */
  workersWanted: number
  /** The workers that are in, in order of joining. */
  members: MemberView[]
  /** HOST:PORT of the metrics of the workers that serve some. */
  metricsTargets: string[]
  /** True while there are too few workers to begin, or none to go on with. */
  waiting: boolean
  engine: EngineInfo | undefined
  /** Numerics fingerprint of each worker that took part. */
  fingerprints: Record<string, string>
  totals: DealerTotals
  bytesReceived: number
  bytesSent: number
}
