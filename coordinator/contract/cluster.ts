import type { MemberView } from '../../live/view.ts'
import type { EngineInfo } from '../../shared/engine/engine.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { UpdateNumbers } from '../../shared/optim/optimizer.ts'
import type { PhaseSeconds } from './step_split.ts'

/** Who computes: workers behind sockets, or this very process. The result is the same. */
export interface Cluster {
  /**
   * Settles when as many workers are in as the run waits for.
   * @throws as `trainStep`
   */
  gathered(): Promise<void>
  /**
   * One step: gradients of every lane, all-reduced, stepped by the optimizer, committed to the run's model; or left out,
   * with the model as it was, when the gradient is not finite.
   * @param numbers of this update: steps that were left out do not count
   * @throws InterruptedError when workers have been waited for as long as is allowed
   * @throws StoppedWhileWaiting when the run is asked to end while no worker is in
   * @throws ReducerLostError when a reducer, and with it a part of the weights, is lost
   */
  trainStep(at: StepPosition, numbers: UpdateNumbers): Promise<StepResult>
  /**
   * Runs the whole test set through the model, with the weights of this moment, which is between two steps. One evaluation at a time.
   * @returns results in the order of blocks
   * @throws as `trainStep`
   */
  evaluate(at: StepPosition): Promise<BlockResult[]>
  /** Whether steps may be taken while the test set is evaluated. Not where nothing is gained by it, or weights are in reducers. */
  readonly evaluatesBeside: boolean
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
  /** By lane: the worker that computed it. */
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

/** Lanes that were dealt to workers, and the workers, counted since this process of the run began. */
export interface DealerTotals {
  lanesDelivered: number
  lanesCounted: number
  lanesDropped: number
  /** Because their holder was lost. */
  lanesDealtAgain: number
  /** From stragglers, by workers that had nothing to do. */
  lanesTakenOver: number
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
