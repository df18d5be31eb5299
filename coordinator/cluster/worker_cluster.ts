import { ProtocolError } from '../../shared/kit/errors.ts'
import { layoutOf, type Layout } from '../../shared/model/layout.ts'
import { blockCount, blockSamples } from '../../shared/evaluation/blocks.ts'
import type { MemberView } from '../../live/view.ts'
import type { Span, SpanObserver } from '../../shared/trace/span.ts'
import { LaneTree } from '../../shared/lanes/lane_tree.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { EvaluationResult, GradientChunk, LaneComputed } from '../../shared/wire/messages.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import { refusalOf } from './admission.ts'
import { ClockProbe } from '../../shared/trace/clock_probe.ts'
import type { BlockResult, Cluster, ClusterStatus, StepResult } from '../contract/cluster.ts'
import { Dealer, type DealerAction, type DealerEvent } from '../dealing/dealer.ts'
import { type RoundKind, kindOf, roundOf, stepOf } from '../contract/rounds.ts'
import { EvaluationBeside } from './evaluation_beside.ts'
import type { RunEvent } from '../contract/events.ts'
import type { Member, MemberHandler } from '../contract/member.ts'
import { memberView } from './member_view.ts'
import type { WholePartial } from '../exchange/range_reducer.ts'
import type { Reduce, Reduction } from '../exchange/reduction.ts'
import { outcomeOf, verdictOf } from '../exchange/step_update.ts'
import { sumOfPhases } from '../contract/step_split.ts'
import type { UpdateNumbers } from '../../shared/optim/optimizer.ts'
import { InterruptedError } from '../contract/interruptions.ts'
import { deferred, Waits } from '../../shared/kit/async.ts'

export interface WorkerClusterParts {
  run: RunDescription
  test: readonly number[]
  /** Where gradients become weights. */
  reduce: Reduce
  workersWanted: number
  silenceLimitMs: number
  /** How long to wait for workers, when there are too few to begin or none to go on with. */
  waitLimitMs: number
  /** Refuse workers whose numerics fingerprint differs from the first's. */
  strictNumerics: boolean
  /** Milliseconds on a clock that only goes forward. */
  now: () => number
  observe: (event: RunEvent) => void
  /** Is told what the coordinator's time of a step goes to. */
  onSpan?: SpanObserver
  /** Is told what workers' time goes to, by the coordinator's clock; only of a run that is traced. */
  onWorkerSpan?: (worker: string, span: Span) => void
  /** Floats of one chunk on the wire, where it is not the default; the workers must cut alike. */
  chunkFloats?: number
}

/** What the cluster keeps of a member. */
interface Membership {
  member: Member
  joinedAt: number
  clock: ClockProbe
  /** Counted of it. */
  lanes: number
  images: number
}

/** A round that is going on. */
interface OpenRound {
  id: number
  kind: RoundKind
  at: StepPosition
  laneReports: LaneReport[]
  /** By lane. */
  computedBy: string[]
  blocks: BlockResult[]
  complete(): void
}

/**
 * A cluster of workers, however they are reached: the dealer decides, this class carries its decisions out, and the
 * tensors along. It has no sockets and no timers: members come and speak through `MemberHandler`, and `tick` is called
 * by whoever has a clock.
 */
export class WorkerCluster implements Omit<Cluster, 'close'>, MemberHandler {
  readonly #parts: WorkerClusterParts
  readonly #tree: LaneTree
  readonly #layout: Layout
  readonly #dealer: Dealer
  readonly #reduction: Reduction
  readonly #members = new Map<string, Membership>()
  readonly #fingerprints: Record<string, string> = {}
  readonly #gathered = deferred<void>()
  readonly #waits = new Waits()
  #round: OpenRound | undefined
  #beside: EvaluationBeside | undefined
  /** Round of the last evaluation that went on beside training. */
  #lastBeside = -1
  #lastRound = -1
  #bytesOfTheGone = { received: 0, sent: 0 }

  constructor(parts: WorkerClusterParts) {
    this.#parts = parts
    this.#tree = new LaneTree(parts.run.lanes)
    this.#layout = layoutOf(parts.run.network)
    const { onSpan, chunkFloats } = parts
    this.#reduction = parts.reduce({
      tree: this.#tree, run: parts.run, now: () => parts.now() / 1000,
      ...(onSpan === undefined ? {} : { onSpan }),
      ...(chunkFloats === undefined ? {} : { chunkFloats }),
      onPartial: (member, partial) => this.#onPartial(member, partial),
      onFailed: (error) => this.fail(error),
    })
    this.#dealer = new Dealer({ workersWanted: parts.workersWanted, silenceLimitMs: parts.silenceLimitMs, waitLimitMs: parts.waitLimitMs })
  }

  get status(): ClusterStatus {
    const members = [...this.#members.values()].map(({ member }) => member)
    const views = [...this.#members.values()].map((membership) => this.#viewOf(membership))
    return {
      workers: members.length,
      workersWanted: this.#parts.workersWanted,
      metricsTargets: members.flatMap(({ facts }) => (facts === undefined || facts.metricsAddress === '' ? [] : [facts.metricsAddress])),
      members: views,
      waiting: this.#dealer.waiting,
      engine: members[0]?.facts?.engine,
      fingerprints: this.#fingerprints,
      totals: this.#dealer.totals,
      bytesReceived: views.reduce((sum, view) => sum + view.receivedBytes, this.#bytesOfTheGone.received),
      bytesSent: views.reduce((sum, view) => sum + view.sentBytes, this.#bytesOfTheGone.sent),
    }
  }

  gathered(): Promise<void> {
    return this.#waits.for(this.#gathered.promise)
  }

  async trainStep(at: StepPosition, numbers: UpdateNumbers): Promise<StepResult> {
    const { lanes, clip } = this.#parts.run
    const { samples } = numbers
    this.#reduction.begin({ round: roundOf('TRAIN', at), ...numbers })
    const { laneReports, computedBy } = await this.#play('TRAIN', at, lanes, samples)
    const outcome = outcomeOf(this.#layout, samples, await this.#waits.for(this.#reduction.sums()))
    const settling = this.#reduction.settle(verdictOf(outcome, clip))
    return { ...outcome, phases: sumOfPhases(outcome.phases, settling), lanes: laneReports.sort((a, b) => a.lane - b.lane), computedBy }
  }

  async evaluate(at: StepPosition): Promise<BlockResult[]> {
    const { test } = this.#parts
    const round = await this.#play('EVALUATE', at, blockCount(test), test.length)
    return round.blocks
  }

  get evaluateBeside(): Cluster['evaluateBeside'] {
    const { evaluation } = this.#reduction
    return evaluation === undefined ? undefined : (at) => this.#evaluateBeside(at, evaluation)
  }

  #evaluateBeside(at: StepPosition, weights: { begin(): void; end(): void }): Promise<BlockResult[]> {
    if (this.#round !== undefined || this.#beside !== undefined) throw new Error('an evaluation begins between two steps, when none goes on')
    const { now, observe, test } = this.#parts
    weights.begin()
    const done = deferred<BlockResult[]>()
    const beside = new EvaluationBeside({
      at, test, observe, totals: this.#dealer.totals,
      send: (worker, message) => this.#members.get(worker)?.member.send(message),
      evict: (worker, reason) => this.#members.get(worker)?.member.evict(reason),
      onTesting: (worker, going, ms) => this.#step({ type: 'testing', worker, going, ...(ms === undefined ? {} : { ms }), now: now() }),
      onDone: (blocks) => {
        this.#beside = undefined
        weights.end()
        done.resolve(blocks)
      },
    })
    this.#beside = beside
    this.#lastBeside = beside.round
    this.#lastRound = Math.max(this.#lastRound, beside.round)
    for (const worker of this.#dealer.workers) if (!this.#dealer.viewOf(worker).draining) beside.step({ type: 'joined', worker, now: now() })
    return this.#waits.for(done.promise)
  }

  /** Makes whoever waits for workers fail: nobody will come. */
  fail(error: Error): void {
    this.#waits.fail(error)
  }

  /**
   * Passes the time on: who is silent or stuck for too long, and who takes longer than others
   * would, is found when the clock ticks. Call it about ten times a second.
   */
  tick(): void {
    this.#step({ type: 'tick', now: this.#parts.now() })
    this.#beside?.step({ type: 'tick', atLanes: new Set(this.#dealer.workers.filter((worker) => this.#dealer.isBusy(worker))), now: this.#parts.now() })
    for (const membership of this.#members.values()) this.#probeClock(membership)
    this.#reduction.tick()
  }

  onReady(member: Member): string | undefined {
    const refusal = refusalOf(member.facts, this.#parts.run, this.#fingerprints, this.#parts.strictNumerics)
    if (refusal !== undefined) return refusal
    const fingerprint = member.facts?.fingerprint ?? ''
    const membership: Membership = { member, joinedAt: this.#parts.now(), clock: new ClockProbe(), lanes: 0, images: 0 }
    this.#members.set(member.name, membership)
    this.#probeClock(membership)
    this.#fingerprints[member.name] = fingerprint
    this.#reduction.join(member)
    this.#parts.observe({ type: 'workerJoined', worker: member.name, workers: this.#members.size, engine: member.facts?.engine.version ?? '', device: member.facts?.engine.device ?? '', fingerprint, sharesMemory: member.memory !== undefined })
    const others = new Set(Object.values(this.#fingerprints))
    if (others.size > 1) this.#parts.observe({ type: 'fingerprintsDiffer', fingerprints: this.#fingerprints })
    this.#step({ type: 'joined', worker: member.name, now: this.#parts.now() })
    this.#beside?.step({ type: 'joined', worker: member.name, now: this.#parts.now() })
    return undefined
  }

  onHeard(member: Member): void {
    this.#step({ type: 'heard', worker: member.name, now: this.#parts.now() })
  }

  onComputed(member: Member, { round, lane, seconds }: LaneComputed): void {
    if (lane >= this.#parts.run.lanes) throw new ProtocolError(`lane ${lane} is not of this run`)
    this.#requireKind('TRAIN', round, 'a computed lane')
    this.#step({ type: 'computed', worker: member.name, kind: 'TRAIN', round, unit: lane, ms: seconds * 1000, now: this.#parts.now() })
  }

  onAbandoned(member: Member, round: number): void {
    if (round > this.#lastRound) throw new ProtocolError(`round ${round} is abandoned, which has not begun`)
    if (round === this.#lastBeside) this.#step({ type: 'testing', worker: member.name, going: false, now: this.#parts.now() })
    else this.#step({ type: 'abandoned', worker: member.name, round, now: this.#parts.now() })
  }

  onDraining(member: Member): void {
    this.#beside?.step({ type: 'draining', worker: member.name, now: this.#parts.now() })
    this.#step({ type: 'draining', worker: member.name, now: this.#parts.now() })
  }

  onGradient(member: Member, chunk: GradientChunk): void {
    this.#requireKind('TRAIN', chunk.round, 'a gradient chunk')
    this.#reduction.receive(member, chunk)
  }

  /** Chunks of a round that is over are late; the dealer counts them as dropped. */
  #onPartial(member: Member, partial: WholePartial): void {
    const membership = this.#members.get(member.name)
    const node = this.#tree.nodes.at(partial.node)
    if (membership?.member !== member || node === undefined) return
    this.#tellUpload(membership, partial)
    this.#deliver(member, partial.round, node.begin, node.end, (open, units) => {
      const counted = partial.lanes.filter((report) => units.includes(report.lane))
      open.laneReports.push(...counted)
      for (const { lane, samples } of counted) {
        open.computedBy[lane] = member.name
        membership.lanes++
        membership.images += samples
      }
    })
  }

  onEvaluation(member: Member, result: EvaluationResult): void {
    const { test, run } = this.#parts
    this.#requireKind('EVALUATE', result.round, 'the result of a test block')
    if (result.block >= blockCount(test)) throw new ProtocolError(`test block ${result.block} is none of ${blockCount(test)}`)
    const expected = blockSamples(test, result.block).length
    if (result.predicted.length !== expected || result.predicted.some((predicted) => predicted >= run.network.classes)) {
      throw new ProtocolError(`the result of test block ${result.block} does not fit the test set`)
    }
    if (result.round === this.#beside?.round) return this.#beside.deliver(member.name, result, this.#parts.now())
    this.#step({ type: 'computed', worker: member.name, kind: 'EVALUATE', round: result.round, unit: result.block, ms: result.seconds * 1000, now: this.#parts.now() })
    this.#deliver(member, result.round, result.block, result.block + 1, (open) => {
      open.blocks[result.block] = { lossSum: result.lossSum, predicted: result.predicted, probability: result.probability }
      this.#parts.observe({ type: 'testing', done: open.blocks.filter((block) => block !== undefined).length, total: blockCount(test) })
    })
  }

  onSpans(member: Member, spans: readonly Span[]): void {
    if (!this.#parts.run.trace) throw new ProtocolError('spans of a run that is not traced')
    for (const span of spans) {
      const here = this.#members.get(member.name)?.clock.spanHere(span)
      if (here !== undefined) this.#parts.onWorkerSpan?.(member.name, here)
    }
  }

  onClock(member: Member, answer: { sent: number; clock: number }): void {
    const membership = this.#members.get(member.name)
    if (membership?.member !== member) throw new ProtocolError('a clock reading of no member')
    membership.clock.answered(answer, this.#parts.now() / 1000)
    this.#probeClock(membership)
  }

  /** An upload has ended when it is here: its beginning is by the worker's clock. */
  #tellUpload({ member, clock: { ahead } }: Membership, { round, lanes: [first], began }: WholePartial): void {
    const end = this.#parts.now() / 1000
    if (ahead !== undefined) this.#parts.onWorkerSpan?.(member.name, { name: 'upload', begin: Math.min(began - ahead, end), end, step: stepOf(round), unit: first.lane })
  }

  /** Asks for a worker's time, where the run is traced, every few seconds. */
  #probeClock({ member, clock }: Membership): void {
    if (!this.#parts.run.trace) return
    const sent = clock.ask(this.#parts.now() / 1000)
    if (sent !== undefined) member.send({ message: 'clockProbe', clockProbe: { sent } })
  }

  onLost(member: Member, reason: string): void {
    if (!this.#forget(member)) return
    this.#parts.observe({ type: 'workerLost', worker: member.name, workers: this.#members.size, reason })
    this.#step({ type: 'lost', worker: member.name, now: this.#parts.now() })
  }

  #viewOf({ member, joinedAt, lanes, images }: Membership): MemberView {
    const { owes, draining, laneMs } = this.#dealer.viewOf(member.name)
    const blocks = this.#beside?.owed(member.name) ?? []
    return memberView(member, {
      ...(owes.length > 0 ? { owes, kind: this.#round?.kind ?? null } : { owes: blocks, kind: 'EVALUATE' }),
      draining, laneMs, lanes, images, traffic: this.#reduction.trafficOf(member), secondsIn: (this.#parts.now() - joinedAt) / 1000,
    })
  }

  #forget(member: Member): boolean {
    if (this.#members.get(member.name)?.member !== member) return false
    const traffic = this.#reduction.trafficOf(member)
    this.#members.delete(member.name)
    this.#bytesOfTheGone.received += member.bytesReceived + traffic.received
    this.#bytesOfTheGone.sent += member.bytesSent + traffic.sent
    this.#reduction.leave(member)
    this.#beside?.step({ type: 'lost', worker: member.name, now: this.#parts.now() })
    return true
  }

  /** Opens a round, and waits until every unit of it is counted. */
  async #play(kind: RoundKind, at: StepPosition, units: number, samples: number): Promise<OpenRound> {
    const id = roundOf(kind, at)
    this.#lastRound = id
    const done = deferred<void>()
    const round: OpenRound = { id, kind, at, laneReports: [], computedBy: [], blocks: [], complete: done.resolve }
    this.#round = round
    this.#step({ type: 'begin', round: { id, kind, units, samples }, now: this.#parts.now() })
    await this.#waits.for(done.promise)
    this.#round = undefined
    return round
  }

  /**
   * What comes for a round that is over is late, and will be dropped.
   * @throws ProtocolError for a round of another kind, or one that has not begun.
   */
  #requireKind(kind: RoundKind, round: number, what: string): void {
    if (kindOf(round) !== kind) throw new ProtocolError(`${what} names round ${round}, which is of another kind`)
    if (round > this.#lastRound) throw new ProtocolError(`${what} names round ${round}, which has not begun`)
  }

  #deliver(member: Member, round: number, begin: number, end: number, count: (open: OpenRound, units: number[]) => void): void {
    this.#step({ type: 'delivered', worker: member.name, round, begin, end, now: this.#parts.now() }, count)
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
        const { worker, units, attempt, reason } = action
        if (reason === 'takenOver') this.#parts.observe({ type: 'takenOver', kind: round.kind, worker, step: round.at.step, units, attempt })
        else if (attempt > 0) this.#parts.observe({ type: 'dealtAgain', kind: round.kind, worker, step: round.at.step, units, attempt })
        this.#parts.observe({ type: 'dealt', worker, kind: round.kind, units })
        this.#members.get(worker)?.member.send({ message: 'deal', deal: { kind: round.kind, round: round.id, ...round.at, attempt, units } })
        break
      }
      case 'release':
        this.#members.get(action.worker)?.member.send({ message: 'release', release: { round: action.round, units: action.units } })
        break
      case 'abandon':
        this.#members.get(action.worker)?.member.send({ message: 'abandon', abandon: { round: action.round } })
        break
      case 'count':
        if (round !== undefined) count?.(round, action.units)
        break
      case 'drop':
        this.#parts.observe({ type: 'dropped', worker: action.worker, units: action.units, reason: action.reason })
        break
      case 'complete':
        round?.complete()
        break
      case 'evict':
        this.#members.get(action.worker)?.member.evict(action.reason)
        break
      case 'dismiss':
        this.#dismiss(action.worker)
        break
      case 'waiting':
        this.#parts.observe({ type: 'waiting' })
        break
      case 'goingOn':
        this.#parts.observe({ type: 'goingOn', workers: this.#members.size, waitedSeconds: action.waitedMs / 1000 })
        break
      case 'gaveUp':
        this.fail(new InterruptedError(`--wait-for-workers ${Math.round(this.#parts.waitLimitMs / 1000)}: ${action.workers === 0 ? 'no worker is' : `only ${action.workers} of ${this.#dealer.wanted} workers are`} in after that time.`))
        break
      case 'gathered':
        this.#gathered.resolve()
        break
    }
  }

  /** A worker that wanted to leave owes nothing any more. */
  #dismiss(worker: string): void {
    const member = this.#members.get(worker)?.member
    if (member === undefined) return
    this.#forget(member)
    this.#parts.observe({ type: 'workerLeft', worker, workers: this.#members.size })
    member.send({ message: 'stop', stop: { finished: false, reason: 'it has left' } })
  }
}
