import { ProtocolError } from '../shared/errors.ts'
import { blockCount, blockSamples } from '../shared/train/evaluation.ts'
import { LaneTree } from '../shared/train/lane_tree.ts'
import type { StepPosition } from '../shared/train/schedule.ts'
import { floatsOf } from '../shared/wire/floats.ts'
import type { EvaluationResult, GradientChunk, LaneReport } from '../shared/wire/messages.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import type { BlockResult, Cluster, ClusterStatus } from './cluster.ts'
import { Dealer, type DealerAction, type DealerEvent } from './dealer.ts'
import type { RunEvent } from './events.ts'
import type { Model } from './model.ts'
import { CoordinatorServer, type ServerParts, type SessionHandler } from './server.ts'
import { StepReduce } from './step_reduce.ts'
import { weightsChunk, type WorkerSession } from './worker_session.ts'

export interface GrpcClusterParts {
  address: string
  run: RunDescription
  test: readonly number[]
  model: Model
  /** Optimizer steps that the model has seen: the version of its weights. */
  version: number
  workersWanted: number
  silenceLimitMs: number
  server: Omit<ServerParts, 'handler'>
  now: () => number
  observe: (event: RunEvent) => void
}

/** A round that is going on. */
interface OpenRound {
  id: number
  kind: 'TRAIN' | 'EVALUATE'
  at: StepPosition
  reduce: StepReduce | undefined
  laneReports: LaneReport[]
  blocks: BlockResult[]
  complete(): void
}

/** A worker may be this many versions of the weights behind before it is cut off, rather than memory grow. */
const BACKLOG_VERSIONS = 4
const TICK_MS = 500

/** Workers behind sockets. The dealer decides; this class carries its decisions out, and the tensors along. */
export class GrpcCluster implements Cluster, SessionHandler {
  readonly #parts: GrpcClusterParts
  readonly #tree: LaneTree
  readonly #dealer: Dealer
  readonly #members = new Map<string, WorkerSession>()
  readonly #fingerprints: Record<string, string> = {}
  readonly #gathered: Promise<void>
  #resolveGathered: () => void = () => undefined
  #rejectWaiting: (error: Error) => void = () => undefined
  #failed: Error | undefined
  #version: number
  #server: CoordinatorServer | undefined
  #ticker: NodeJS.Timeout | undefined
  #round: OpenRound | undefined
  #rounds = 0
  #bytesOfTheGone = { received: 0, sent: 0 }

  private constructor(parts: GrpcClusterParts) {
    this.#parts = parts
    this.#version = parts.version
    this.#tree = new LaneTree(parts.run.lanes)
    this.#dealer = new Dealer({ workersWanted: parts.workersWanted, silenceLimitMs: parts.silenceLimitMs })
    this.#gathered = new Promise((resolve) => {
      this.#resolveGathered = resolve
    })
  }

  /**
   * Listens for workers.
   * @throws RunError when the address cannot be bound.
   */
  static async listen(parts: GrpcClusterParts): Promise<{ cluster: GrpcCluster; port: number }> {
    const cluster = new GrpcCluster(parts)
    const { server, port } = await CoordinatorServer.listen(parts.address, { ...parts.server, handler: cluster })
    cluster.#server = server
    cluster.#ticker = setInterval(() => cluster.#step({ type: 'tick', now: parts.now() }), TICK_MS)
    return { cluster, port }
  }

  get status(): ClusterStatus {
    const members = [...this.#members.values()]
    return {
      workers: members.length,
      engine: members[0]?.facts?.engine,
      fingerprints: this.#fingerprints,
      totals: this.#dealer.totals,
      bytesReceived: members.reduce((sum, member) => sum + member.bytesReceived, this.#bytesOfTheGone.received),
      bytesSent: members.reduce((sum, member) => sum + member.bytesSent, this.#bytesOfTheGone.sent),
    }
  }

  gathered(): Promise<void> {
    return this.#unlessFailed(this.#gathered)
  }

  async trainStep(at: StepPosition, samples: number): Promise<LaneReport[]> {
    const { model } = this.#parts
    const version = at.step + 1
    const reduce = new StepReduce(model.layout.size, this.#tree, (range, sum) => {
      const chunk = weightsChunk(version, range, model.stepRange(range, sum, samples, version))
      for (const member of this.#members.values()) if (!member.joinedLate) member.sendWeights(chunk)
    })
    const round = await this.#play('TRAIN', at, this.#parts.run.lanes, reduce)
    model.commit()
    this.#version = version
    for (const member of this.#members.values()) {
      if (member.joinedLate) member.sendAllWeights(version, model.parameters)
      member.joinedLate = false
    }
    this.#cutOffTheBacklogged(model.layout.size)
    return round.laneReports.sort((a, b) => a.lane - b.lane)
  }

  async evaluate(at: StepPosition): Promise<BlockResult[]> {
    const round = await this.#play('EVALUATE', at, blockCount(this.#parts.test), undefined)
    return round.blocks
  }

  async close(outcome: { finished: boolean; reason: string }): Promise<void> {
    clearInterval(this.#ticker)
    await this.#server?.close({ message: 'stop', stop: outcome })
  }

  /** Makes whoever waits for workers fail: nobody will come. */
  fail(error: Error): void {
    this.#failed = error
    this.#rejectWaiting(error)
  }

  onReady(session: WorkerSession): string | undefined {
    const refusal = this.#refusal(session)
    if (refusal !== undefined) return refusal
    const fingerprint = session.facts?.fingerprint ?? ''
    this.#members.set(session.name, session)
    this.#fingerprints[session.name] = fingerprint
    session.sendAllWeights(this.#version, this.#parts.model.parameters)
    session.joinedLate = this.#round?.kind === 'TRAIN'
    this.#parts.observe({ type: 'workerJoined', worker: session.name, workers: this.#members.size, engine: session.facts?.engine.version ?? '', device: session.facts?.engine.device ?? '', fingerprint })
    const others = new Set(Object.values(this.#fingerprints))
    if (others.size > 1) this.#parts.observe({ type: 'fingerprintsDiffer', fingerprints: this.#fingerprints })
    this.#step({ type: 'joined', worker: session.name, now: this.#parts.now() })
    return undefined
  }

  onHeard(session: WorkerSession): void {
    this.#step({ type: 'heard', worker: session.name, now: this.#parts.now() })
  }

  onGradient(session: WorkerSession, chunk: GradientChunk): void {
    const node = this.#tree.nodes.at(chunk.node)
    if (node === undefined || chunk.data.length % 4 !== 0) throw new ProtocolError(`gradient chunk of node ${chunk.node} with ${chunk.data.length} bytes is not of this run`)
    if (session.upload === undefined || chunk.offset === 0) session.upload = { round: chunk.round, node: chunk.node, attempt: chunk.attempt, received: 0 }
    const upload = session.upload
    if (upload.round !== chunk.round || upload.node !== chunk.node || upload.attempt !== chunk.attempt || upload.received !== chunk.offset) {
      throw new ProtocolError('gradient chunks came out of order')
    }
    const round = this.#round
    const values = floatsOf(chunk.data)
    // Chunks of a round that is over are late; the dealer counts them as dropped once the partial is whole.
    if (round?.id === chunk.round) round.reduce?.add(chunk.node, chunk.offset, values)
    upload.received += values.length
    if (chunk.lanes.length === 0) return
    session.upload = undefined
    const reported = chunk.lanes.map((report) => report.lane)
    if (reported.join() !== Array.from({ length: node.end - node.begin }, (_, i) => node.begin + i).join()) {
      throw new ProtocolError(`the partial of lanes ${node.begin} to ${node.end - 1} reports lanes ${reported.join()}`)
    }
    if (upload.received !== this.#parts.model.layout.size) throw new ProtocolError(`a partial ended after ${upload.received} floats`)
    this.#deliver(session, chunk.round, node.begin, node.end, (open, units) => {
      open.laneReports.push(...chunk.lanes.filter((report) => units.includes(report.lane)))
    })
  }

  onEvaluation(session: WorkerSession, result: EvaluationResult): void {
    const { test, run } = this.#parts
    const expected = blockSamples(test, result.block).length
    if (result.predicted.length !== expected || result.predicted.some((predicted) => predicted >= run.network.classes)) {
      throw new ProtocolError(`the result of test block ${result.block} does not fit the test set`)
    }
    this.#deliver(session, result.round, result.block, result.block + 1, (open) => {
      open.blocks[result.block] = { lossSum: result.lossSum, predicted: result.predicted, probability: result.probability }
    })
  }

  onLost(session: WorkerSession, reason: string): void {
    if (!this.#members.delete(session.name)) return
    this.#bytesOfTheGone.received += session.bytesReceived
    this.#bytesOfTheGone.sent += session.bytesSent
    this.#parts.observe({ type: 'workerLost', worker: session.name, workers: this.#members.size, reason })
    this.#step({ type: 'lost', worker: session.name, reason, now: this.#parts.now() })
  }

  /** Opens a round, and waits until every unit of it is counted. */
  async #play(kind: OpenRound['kind'], at: StepPosition, units: number, reduce: StepReduce | undefined): Promise<OpenRound> {
    const id = ++this.#rounds
    const done = new Promise<OpenRound>((resolve) => {
      const round: OpenRound = { id, kind, at, reduce, laneReports: [], blocks: [], complete: () => resolve(round) }
      this.#round = round
    })
    this.#step({ type: 'begin', round: { id, units }, now: this.#parts.now() })
    const round = await this.#unlessFailed(done)
    this.#round = undefined
    return round
  }

  /** Waits, unless the cluster has failed or fails meanwhile. One wait at a time. */
  #unlessFailed<T>(wait: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failed !== undefined) reject(this.#failed)
      this.#rejectWaiting = reject
      wait.then(resolve, reject)
    })
  }

  #deliver(session: WorkerSession, round: number, begin: number, end: number, count: (open: OpenRound, units: number[]) => void): void {
    this.#step({ type: 'delivered', worker: session.name, round, begin, end, now: this.#parts.now() }, count)
  }

  /** Feeds the dealer, and carries out what it decides. */
  #step(event: DealerEvent, count?: (open: OpenRound, units: number[]) => void): void {
    for (const action of this.#dealer.step(event)) this.#act(action, count)
  }

  #act(action: DealerAction, count?: (open: OpenRound, units: number[]) => void): void {
    const round = this.#round
    switch (action.type) {
      case 'deal': {
        if (round === undefined) throw new Error('a deal outside a round')
        const { worker, units, attempt } = action
        if (attempt > 0) this.#parts.observe({ type: 'dealtAgain', worker, step: round.at.step, units, attempt })
        this.#members.get(worker)?.deal({ kind: round.kind, round: round.id, ...round.at, attempt, units })
        break
      }
      case 'count':
        if (round !== undefined) count?.(round, action.units)
        break
      case 'drop':
        this.#parts.observe({ type: 'dropped', worker: action.worker, units: action.units, reason: action.reason })
        break
      case 'complete':
        round?.complete()
        break
      case 'evict': {
        const session = this.#members.get(action.worker)
        if (session !== undefined) this.#server?.evict(session, `nothing was heard of it for ${Math.round(action.silentMs / 1000)} s`)
        break
      }
      case 'gathered':
        this.#resolveGathered()
        break
    }
  }

  #cutOffTheBacklogged(vectorFloats: number): void {
    for (const member of [...this.#members.values()]) {
      if (member.backlogBytes > BACKLOG_VERSIONS * Math.max(vectorFloats * 4, 1024 * 1024)) this.#server?.evict(member, 'it does not take its weights')
    }
  }

  #refusal(session: WorkerSession): string | undefined {
    const { run } = this.#parts
    const facts = session.facts
    if (facts === undefined) return 'the worker has not said what it computes with.'
    const { kind, precision, threads } = facts.engine
    if (kind !== run.engine || precision !== run.precision || threads !== run.threads) {
      return `this run computes on ${run.engine}, ${run.precision}, ${run.threads} thread(s); the worker on ${kind}, ${precision}, ${threads}.`
    }
    if (facts.datasetDigest !== '' && facts.datasetDigest !== run.datasetDigest) {
      return `the worker's --data is another data set: its digest is ${facts.datasetDigest.slice(0, 12)}..., the run's ${run.datasetDigest.slice(0, 12)}... Copy the same folder there, or leave --data out to fetch images from the coordinator.`
    }
    return undefined
  }
}
