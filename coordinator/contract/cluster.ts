import type { MemberView } from '../../live/view.ts'
import type { InputFacts } from '../../shared/data/input_fingerprint.ts'
import type { EngineInfo } from '../../shared/engine/engine.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { UpdateNumbers } from '../../shared/optim/optimizer.ts'
import type { PhaseSeconds } from './step_split.ts'

/** The compute resources of a run: workers behind sockets, or this process alone. The result is the same to the last bit. */
export interface Cluster {
  /**
   * Settles when as many workers have joined as the run waits for.
   * @throws as `trainStep`
   */
  gathered(): Promise<void>
  /**
   * Takes one training step: computes the gradient of every lane, all-reduces them, applies the optimizer and commits the new weights
   * to the run's model. If the gradient is not finite, the step is skipped and the model stays as it was.
   * @param numbers batch size, update number and learning rate; skipped steps do not count as updates
   * @throws InterruptedError if the run has waited for workers as long as --wait-for-workers allows
   * @throws StoppedWhileWaiting if a stop is requested while the run waits for workers
   * @throws ReducerLostError if a reducer, and with it a part of the weights, is lost
   * @throws WrongStepError if a worker has sent something else than the gradient of its lanes
   */
  trainStep(at: StepPosition, numbers: UpdateNumbers): Promise<StepResult>
  /**
   * Evaluates the whole test set with the weights at the time of the call, which must be between two steps. Only one evaluation may run
   * at a time.
   * @returns results in the order of blocks
   * @throws as `trainStep`
   */
  evaluate(at: StepPosition): Promise<BlockResult[]>
  /** True if steps may be taken during an evaluation. False for a single node, which gains nothing, and with reducer processes. */
  readonly evaluatesBeside: boolean
  /**
   * Settles when no more check of a step that has been taken is open.
   * @throws WrongStepError if one of these steps is wrong
   */
  confirmed(): Promise<void>
  /** Makes the step and the evaluation that go on fail with this error, and all later ones: a step that fails has changed nothing. */
  fail(error: Error): void
  /** Closes the cluster; workers are told that the run has finished, or why it stops. */
  close(outcome: { finished: boolean; reason: string }): Promise<void>
  readonly status: ClusterStatus
}

/** The result of one training step. */
export interface StepResult {
  /** Reports of all lanes, in their order. */
  lanes: LaneReport[]
  /** Name of the first parameter of the layout whose gradient, summed over all lanes, is not finite; undefined if all are finite. */
  notFinite: string | undefined
  /** L2 norm of the mean gradient over the batch; meaningless if the gradient is not finite. */
  gradientNorm: number
  /** Seconds that the coordinator spent in each phase; of several reducers, those of the one that worked longest. */
  phases: PhaseSeconds
  /** Name of the worker that computed each lane, in the order of lanes. */
  computedBy: string[]
}

/** One block of the test set. */
export interface BlockResult {
  /** Cross entropy summed over the block, in float64. */
  lossSum: number
  /** Index of the class with the largest logit, for each sample. */
  predicted: number[]
  /** Probability of that class, for each sample. */
  probability: number[]
}

/** Numbers of lanes and workers, counted since this coordinator process began. */
export interface DealerTotals {
  lanesDelivered: number
  lanesCounted: number
  lanesDropped: number
  /** Lanes dealt again because the worker that held them was lost. */
  lanesDealtAgain: number
  /** Lanes that idle workers took over from stragglers. */
  lanesTakenOver: number
  workersLost: number
  /** The most workers that took part at one time. */
  mostWorkers: number
}

export interface ClusterStatus {
  workers: number
  /** Number of workers that the run waits for before it begins. */
  workersWanted: number
  /** The present workers, in order of joining. */
  members: MemberView[]
  /** HOST:PORT of the metrics of each worker that serves them. */
  metricsTargets: string[]
  /** True while there are too few workers to begin, or none to continue with. */
  waiting: boolean
  /** The engine of the first worker; undefined before one has joined. */
  engine: EngineInfo | undefined
  /** Numerics fingerprints by name of worker, of workers that have left too. */
  fingerprints: Record<string, string>
  /** What workers do to images, each of it once, of workers that have left too. */
  inputs: InputFacts[]
  totals: DealerTotals
  bytesReceived: number
  bytesSent: number
}
