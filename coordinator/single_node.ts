import type { Compute } from '../shared/train/compute.ts'
import { blockCount, blockSamples, evaluateBlock } from '../shared/train/evaluation.ts'
import type { InputPipeline } from '../shared/train/input_pipeline.ts'
import { LaneTree } from '../shared/train/lane_tree.ts'
import { LaneWalk } from '../shared/train/lane_walk.ts'
import type { Schedule, StepPosition } from '../shared/train/schedule.ts'
import { parameterAt } from '../shared/network/layout.ts'
import type { Network } from '../shared/network/network.ts'
import type { Sample } from '../shared/data/dataset.ts'
import type { LaneReport } from '../shared/wire/messages.ts'
import type { BlockResult, Cluster, ClusterStatus, StepResult } from './cluster.ts'
import type { Model } from './model.ts'
import { StepReduce } from './step_reduce.ts'

export interface SingleNodeParts {
  compute: Compute
  model: Model
  input: InputPipeline
  network: Network
  schedule: Schedule
  lanes: number
  samples: readonly Sample[]
  test: readonly number[]
}

/** The cluster of one: every lane is computed here, one after the other, and added along the same tree. */
export class SingleNodeCluster implements Cluster {
  readonly status: ClusterStatus
  readonly #parts: SingleNodeParts
  readonly #tree: LaneTree

  constructor(parts: SingleNodeParts) {
    this.#parts = parts
    this.#tree = new LaneTree(parts.lanes)
    this.status = {
      workers: 1,
      waiting: false,
      engine: parts.compute.info,
      fingerprints: { 'single-node': parts.compute.fingerprint },
      totals: { unitsDelivered: 0, unitsCounted: 0, unitsDropped: 0, unitsDealtAgain: 0, unitsTakenOver: 0, workersLost: 0, mostWorkers: 1 },
      bytesReceived: 0,
      bytesSent: 0,
    }
  }

  gathered(): Promise<void> {
    return Promise.resolve()
  }

  async trainStep(at: StepPosition, samples: number, update: number): Promise<StepResult> {
    const { compute, input, model, schedule, lanes } = this.#parts
    const everyLane = Array.from({ length: lanes }, (_, lane) => lane)
    input.prefetch(at, everyLane)
    compute.setParameters(model.parameters)
    const reduce = new StepReduce(model.layout.size, this.#tree, (range, sum) => model.stepRange(range, sum, samples, update))
    const reports: LaneReport[] = []
    const walk = new LaneWalk(this.#tree, everyLane)
    for (let next = walk.next(); next !== undefined; next = walk.next()) {
      if (next.type === 'push') {
        const prepared = await input.lane(at, next.lane)
        if (next.lane === lanes - 1) input.prefetch(schedule.next(at), everyLane)
        await compute.push(prepared)
      } else if (next.type === 'add') {
        compute.add()
      } else {
        const partial = await compute.take()
        reduce.addAll(next.node, partial.values)
        reports.push(...partial.lanes)
      }
    }
    if (reduce.notFinite === undefined) model.commit()
    this.#count(lanes)
    return { lanes: reports, notFinite: parameterAt(model.layout, reduce.notFinite)?.name }
  }

  async evaluate(): Promise<BlockResult[]> {
    const { compute, input, model, network, samples, test } = this.#parts
    compute.setParameters(model.parameters)
    const results: BlockResult[] = []
    for (let block = 0; block < blockCount(test); block++) {
      const ids = blockSamples(test, block)
      const logits = await compute.logits(await input.images(ids), ids.length)
      results.push(evaluateBlock(network, logits, ids.map((id) => samples[id].class)))
    }
    this.#count(results.length)
    return results
  }

  close(): Promise<void> {
    return this.#parts.compute.close()
  }

  #count(units: number): void {
    this.status.totals.unitsDelivered += units
    this.status.totals.unitsCounted += units
  }
}
