import { setImmediate } from 'node:timers/promises'
import { codecFor, roundedWeights, sumRounding, type Codec, type RoundSum } from '../shared/compress/codec.ts'
import type { Compute } from '../shared/compute/compute.ts'
import { blockCount, blockSamples, evaluateBlock } from '../shared/evaluation/blocks.ts'
import type { InputFacts } from '../shared/data/input_fingerprint.ts'
import type { InputPipeline } from '../shared/data/input_pipeline.ts'
import type { MemberView } from '../live/view.ts'
import type { SpanObserver } from '../shared/trace/span.ts'
import { LaneTree } from '../shared/lanes/lane_tree.ts'
import type { LaneSum, PreparedLane } from '../shared/lanes/lane_stack.ts'
import { LaneWalk } from '../shared/lanes/lane_walk.ts'
import type { Schedule, StepPosition } from '../shared/lanes/sample_schedule.ts'
import type { Network } from '../shared/model/network.ts'
import type { Samples } from '../shared/data/columns/samples.ts'
import type { LaneReport } from '../shared/lanes/lane_report.ts'
import type { BlockResult, Cluster, ClusterStatus, StepResult, DealerTotals } from './contract/cluster.ts'
import type { Observer } from './contract/events.ts'
import type { UpdateNumbers } from '../shared/optim/optimizer.ts'
import type { Model } from '../shared/optim/stepped_weights.ts'
import type { ExchangedRun } from './exchange/range_reducer.ts'
import { StepUpdate } from './exchange/step_update.ts'

/** Name of this process where a cluster has names of workers. */
const NAME = 'single-node'

export interface SingleNodeParts {
  compute: Compute
  inputFacts: InputFacts
  model: Model
  input: InputPipeline
  network: Network
  schedule: Schedule
  lanes: number
  run: ExchangedRun
  samples: Samples
  test: readonly number[]
  /** Seconds on a monotonic clock. */
  now: () => number
  /** Returns the resident memory of this process in bytes. */
  residentBytes: () => number
  observe: Observer
  onSpan?: SpanObserver
}

/** A cluster of this process alone: computes all lanes one after the other, and sums their gradients along the same tree as a cluster of workers. */
export class SingleNodeCluster implements Cluster {
  readonly #parts: SingleNodeParts
  readonly #tree: LaneTree
  readonly #weights: Codec
  readonly #round: RoundSum
  readonly #totals: DealerTotals = { lanesDelivered: 0, lanesCounted: 0, lanesDropped: 0, lanesDealtAgain: 0, lanesTakenOver: 0, workersLost: 0, mostWorkers: 1 }
  readonly #begin: number
  #doing: Pick<MemberView, 'kind' | 'owes'> = { kind: null, owes: [] }
  #images = 0
  #laneSeconds: number | null = null
  /** End of the lane that was computed last, in seconds. */
  #computedAt = Number.NEGATIVE_INFINITY
  #failure: Error | undefined

  constructor(parts: SingleNodeParts) {
    this.#parts = parts
    this.#tree = new LaneTree(parts.lanes)
    this.#weights = codecFor(parts.run.compressWeights)
    this.#round = sumRounding(parts.run.compress, parts.run.seed)
    this.#begin = parts.now()
  }

  get status(): ClusterStatus {
    const { compute } = this.#parts
    return {
      workers: 1,
      workersWanted: 1,
      metricsTargets: [],
      members: [this.#view()],
      waiting: false,
      engine: compute.info,
      fingerprints: { [NAME]: compute.fingerprint },
      inputs: [this.#parts.inputFacts],
      totals: this.#totals,
      bytesReceived: 0,
      bytesSent: 0,
    }
  }

  gathered(): Promise<void> {
    return Promise.resolve()
  }

  async trainStep(at: StepPosition, numbers: UpdateNumbers): Promise<StepResult> {
    const { compute, input, model, schedule, lanes, run, now, onSpan } = this.#parts
    const everyLane = Array.from({ length: lanes }, (_, lane) => lane)
    input.prefetch(at, everyLane)
    this.#setParameters()
    const steps = new StepUpdate({ model, tree: this.#tree, step: at.step, ...numbers, clip: run.clip, now, round: this.#round, ...(onSpan === undefined ? {} : { onSpan }) })
    const reports: LaneReport[] = []
    // One lane is computed while the next one is prepared.
    let computing = Promise.resolve()
    const walk = new LaneWalk(this.#tree, everyLane)
    for (let next = walk.next(); next !== undefined; next = walk.next()) {
      if (next.type === 'push') {
        this.#requireSound()
        this.#doing = { kind: 'TRAIN', owes: everyLane.slice(next.lane) }
        const prepared = await input.lane(at, next.lane)
        if (next.lane === lanes - 1) input.prefetch(schedule.next(at), everyLane)
        await computing
        computing = this.#compute(prepared, next, at.step)
        // A failure is thrown where the lane is waited for, unless another one comes first.
        computing.catch(() => undefined)
      } else if (next.type === 'add') {
        compute.add(next.node)
      } else {
        const partial = await this.#collect(computing, at.step)
        steps.addAll(next.node, partial.values)
        reports.push(...partial.lanes)
      }
    }
    this.#doing = { kind: null, owes: [] }
    this.#totals.lanesDelivered += lanes
    this.#totals.lanesCounted += lanes
    this.#images += numbers.samples
    return { ...steps.finish(), lanes: reports, computedBy: everyLane.map(() => NAME) }
  }

  /** False: one thread would gain nothing. */
  readonly evaluatesBeside = false

  async evaluate({ step }: StepPosition): Promise<BlockResult[]> {
    const { compute, input, network, samples, test, now, observe, onSpan } = this.#parts
    this.#setParameters()
    const results: BlockResult[] = []
    const total = blockCount(test)
    for (let block = 0; block < total; block++) {
      this.#requireSound()
      this.#doing = { kind: 'EVALUATE', owes: [block] }
      const ids = blockSamples(test, block)
      const images = await input.images(ids)
      const begin = now()
      const logits = await compute.logits(images, ids.length)
      onSpan?.({ name: 'test', begin, end: now(), step, unit: block })
      results.push(evaluateBlock(network, logits, ids.map((id) => samples.classOf(id))))
      observe({ type: 'testing', done: block + 1, total })
      await setImmediate()
    }
    this.#doing = { kind: null, owes: [] }
    return results
  }

  /** Nobody else computes anything. */
  confirmed(): Promise<void> {
    return Promise.resolve()
  }

  fail(error: Error): void {
    this.#failure ??= error
  }

  close(): Promise<void> {
    return this.#parts.compute.close()
  }

  /** To be called between two lanes or blocks: a step that fails there has changed nothing. @throws the error of `fail` */
  #requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Gives the engine the weights as a worker would receive them: rounded, if they are compressed on the wire. */
  #setParameters(): void {
    const { compute, model: { parameters } } = this.#parts
    compute.setParameters(this.#weights.compression === 'none' ? parameters : roundedWeights(this.#weights, parameters))
  }

  async #compute(prepared: PreparedLane, { lane, node }: { lane: number; node: number }, step: number): Promise<void> {
    const { compute, now, onSpan } = this.#parts
    const pushed = now()
    const { begin, end } = await compute.push(prepared, node)
    if (pushed < begin) onSpan?.({ name: 'feed', begin: pushed, end: begin, step, unit: lane })
    onSpan?.({ name: 'compute', begin, end, step, unit: lane })
    this.#laneSeconds = end - begin
    this.#computedAt = end
    // wasm blocks the event loop while it computes, so the live page and metrics are served between two lanes.
    await setImmediate()
  }

  /** Takes the sum of the lanes so far from the engine, when the last of them is computed. */
  async #collect(computing: Promise<void>, step: number): Promise<LaneSum> {
    const { compute, now, onSpan } = this.#parts
    const asked = now()
    const [sum] = await Promise.all([compute.take(), computing])
    onSpan?.({ name: 'collect', begin: Math.max(asked, this.#computedAt), end: now(), step, unit: sum.lanes[0]?.lane })
    return sum
  }

  #view(): MemberView {
    const { compute, now, residentBytes } = this.#parts
    return {
      name: NAME,
      engine: compute.info.version,
      device: compute.info.device,
      state: this.#doing.kind === null ? 'idle' : 'computing',
      ...this.#doing,
      lanes: this.#totals.lanesCounted,
      images: this.#images,
      laneSeconds: this.#laneSeconds,
      residentBytes: residentBytes(),
      receivedBytes: 0,
      sentBytes: 0,
      secondsIn: now() - this.#begin,
    }
  }
}
