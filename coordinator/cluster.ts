import type { EngineInfo } from '../shared/engine/engine.ts'
import type { StepPosition } from '../shared/train/schedule.ts'
import type { LaneReport } from '../shared/wire/messages.ts'
import type { DealerTotals } from './dealer.ts'

/** Who computes: workers behind sockets, or this very process. The result is the same. */
export interface Cluster {
  /** Settles when as many workers are in as the run waits for. */
  gathered(): Promise<void>
  /**
   * One step: gradients of every lane, all-reduced, stepped by the optimizer, committed to the run's model.
   * @param samples images in this batch
   * @returns what the lanes reported, in the order of lanes
   */
  trainStep(at: StepPosition, samples: number): Promise<LaneReport[]>
  /** Runs the whole test set through the model. @returns results in the order of blocks */
  evaluate(at: StepPosition): Promise<BlockResult[]>
  /** Ends: workers are told that the run has finished, or why it stops. */
  close(outcome: { finished: boolean; reason: string }): Promise<void>
  readonly status: ClusterStatus
}

/** One block of the test set. */
export interface BlockResult {
  /** Cross entropy summed over the block, in float64. */
  lossSum: number
  /** For each sample: the class with the largest logit, and its probability. */
  predicted: number[]
  probability: number[]
}

export interface ClusterStatus {
  workers: number
  /** True while there are too few workers to begin, or none to go on with. */
  waiting: boolean
  engine: EngineInfo | undefined
  /** Numerics fingerprint of each worker that took part. */
  fingerprints: Record<string, string>
  totals: DealerTotals
  bytesReceived: number
  bytesSent: number
}
