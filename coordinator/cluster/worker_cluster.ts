import { ProtocolError } from '../../shared/kit/errors.ts'
import { deferred, Waits } from '../../shared/kit/async.ts'
import { isAudited } from '../../shared/lanes/audited_steps.ts'
import { LaneTree } from '../../shared/lanes/lane_tree.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import { layoutOf, type Layout } from '../../shared/model/layout.ts'
import { RemoteSpans } from '../../shared/trace/remote_spans.ts'
import type { Span, SpanObserver } from '../../shared/trace/span.ts'
import type { Checked, EvaluationResult, GradientChunk, LaneComputed } from '../../shared/wire/messages.ts'
import type { UpdateNumbers } from '../../shared/optim/optimizer.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import type { BlockResult, Cluster, ClusterStatus, StepResult } from '../contract/cluster.ts'
import type { RunEvent } from '../contract/events.ts'
import { InterruptedError } from '../contract/interruptions.ts'
import { identityKey, type Identity, type Member, type MemberHandler } from '../contract/member.ts'
import { kindOf, requireBegun, stepOf } from '../contract/rounds.ts'
import { Dealer, type DealerAction, type DealerEvent } from '../dealing/dealer.ts'
import type { UnfinishedPartial, WholePartial } from '../exchange/range_reducer.ts'
import type { Reduce, Reduction } from '../exchange/reduction.ts'
import { sumOfPhases } from '../contract/step_split.ts'
import { outcomeOf, verdictOf } from '../exchange/step_update.ts'
import { differenceOf, refusalOf, type FirstWorker, type Precedent } from './admission.ts'
import { Checks, type Vigilance } from './checks.ts'
import { sendDeal } from './deal.ts'
import { Evaluation } from './evaluation.ts'
import type { MemberFacts } from './member_view.ts'
import { OpenStep } from './open_step.ts'
import { Roster } from './roster.ts'

export interface WorkerClusterParts {
  run: RunDescription
  /** Sample ids of the test set. */
  test: readonly number[]
  /** Creates the reduction, which turns gradients into weights. */
  reduce: Reduce
  workersWanted: number
  silenceLimitMs: number
  /** Longest wait for workers, in milliseconds, while there are too few to begin or none to continue with. */
  waitLimitMs: number
  /** True to take workers that compute other bits than the first one: then the result depends on who computes what. */
  allowMixedNumerics: boolean
  /** How the run computed before it was resumed; undefined if it is new, or its workers were not alike. */
  precedent?: Precedent | undefined
  /** How much of what workers send is checked. */
  vigilance: Vigilance
  /** Puts out whoever comes with an identity, for the rest of the run. */
  ban: (who: Identity, why: { step: number; reason: string }) => void
  /** Milliseconds on a monotonic clock. */
  now: () => number
  observe: (event: RunEvent) => void
  /** Receives spans of the coordinator's own work in steps. */
  onSpan?: SpanObserver
  /** Receives workers' spans, on the coordinator's clock; undefined if the run is not traced. */
  onWorkerSpan?: (worker: string, span: Span) => void
  /** Floats per chunk on the wire; undefined means the default. The workers must use the same. */
  chunkFloats?: number
  /** Tells all members how the run ends, and disconnects them. */
  close: (outcome: { finished: boolean; reason: string }) => Promise<void>
}

/** Most differences between workers that are told of: whoever makes up fingerprints fills no disk with them. */
const MOST_DIFFERENCES = 32

/**
 * A cluster of workers, whatever the transport: the dealers decide, and this class carries out their decisions and passes
 * tensors on. It has no sockets and no timers: members come and speak through `MemberHandler`, and `tick` must be called
 * from outside.
 */
export class WorkerCluster implements Cluster, MemberHandler {
  readonly #parts: WorkerClusterParts
  readonly #tree: LaneTree
  readonly #layout: Layout
  readonly #dealer: Dealer
  readonly #evaluation: Evaluation
  readonly #checks: Checks
  readonly #reduction: Reduction
  readonly #roster: Roster
  readonly #gathered = deferred<void>()
  readonly #waits = new Waits()
  #step: OpenStep | undefined
  /** Round of the step that began last. */
  #lastRound = -1
  #first: FirstWorker | undefined
  /** Differences between workers that have been told. */
  readonly #differences = new Set<string>()

  constructor(parts: WorkerClusterParts) {
    this.#parts = parts
    this.#tree = new LaneTree(parts.run.lanes)
    this.#layout = layoutOf(parts.run.network)
    const { run, test, workersWanted, silenceLimitMs, waitLimitMs, now, observe, onSpan, chunkFloats } = parts
    this.#reduction = parts.reduce({
      tree: this.#tree, run, now: () => now() / 1000,
      ...(onSpan === undefined ? {} : { onSpan }),
      ...(chunkFloats === undefined ? {} : { chunkFloats }),
      onPartial: (member, partial) => this.#onPartial(member, partial),
      onUnfinished: (member, partial) => this.#onUnfinished(member, partial),
      onDeposit: (member, deposit) => this.#checks.deposit(member, deposit),
      onFailed: (error) => this.fail(error),
    })
    this.#roster = new Roster({ now, trafficOf: (member) => this.#reduction.trafficOf(member) })
    this.#dealer = new Dealer({ workersWanted, silenceLimitMs, waitLimitMs })
    this.#evaluation = new Evaluation({
      test, classes: run.network.classes, now, observe,
      send: (worker, message) => this.#roster.send(worker, message),
      evict: (worker, reason) => this.#roster.evict(worker, reason),
      onTesting: (worker, going, ms) => this.#decide({ type: 'testing', worker, going, ...(ms === undefined ? {} : { ms }), now: now() }),
    })
    this.#checks = new Checks({
      ...parts.vigilance, tree: this.#tree, now, observe,
      send: (worker, message) => this.#roster.send(worker, message),
      evict: (worker, reason) => this.#roster.evict(worker, reason),
      onChecking: (worker, lanes) => this.#decide({ type: 'checking', worker, lanes, now: now() }),
      putOut: (who, why) => this.#putOut(who, why),
      fail: (error) => this.fail(error),
    })
  }

  get status(): ClusterStatus {
    return {
      ...this.#roster.status((worker) => this.#doing(worker)),
      engine: this.#first?.facts.engine, workersWanted: this.#parts.workersWanted, waiting: this.#dealer.waiting, totals: this.#dealer.totals,
    }
  }

  #doing(worker: string): Pick<MemberFacts, 'owes' | 'kind' | 'draining' | 'laneMs'> {
    const view = this.#dealer.viewOf(worker)
    return view.owes.length > 0 ? { ...view, kind: 'TRAIN' } : { ...view, owes: this.#evaluation.owed(worker), kind: 'EVALUATE' }
  }

  gathered(): Promise<void> {
    return this.#waits.for(this.#gathered.promise)
  }

  async trainStep(at: StepPosition, numbers: UpdateNumbers): Promise<StepResult> {
    const { lanes, clip } = this.#parts.run
    const { samples } = numbers
    const { disputes } = this.#checks
    if (disputes !== undefined) await this.#waits.for(disputes)
    const step = new OpenStep(at)
    this.#reduction.begin({ round: step.round, digestKey: this.#checks.begin(at, step.round), ...numbers })
    this.#lastRound = step.round
    this.#step = step
    this.#decide({ type: 'begin', round: { id: step.round, lanes, samples }, now: this.#parts.now() })
    await this.#waits.for(step.done)
    this.#step = undefined
    const outcome = outcomeOf(this.#layout, samples, await this.#waits.for(this.#reduction.sums()))
    await this.#waits.for(this.#checks.decide(outcome))
    this.#checks.settled()
    const settling = this.#reduction.settle(verdictOf(outcome, clip))
    return { ...outcome, phases: sumOfPhases(outcome.phases, settling), ...step.result }
  }

  get evaluatesBeside(): boolean {
    return this.#reduction.evaluation !== undefined
  }

  async evaluate(at: StepPosition): Promise<BlockResult[]> {
    if (this.#step !== undefined || this.#evaluation.isOpen) throw new Error('an evaluation begins between two steps, when none goes on')
    const weights = this.#reduction.evaluation
    weights?.begin()
    const done = this.#evaluation.begin(at)
    for (const worker of this.#dealer.workers) if (!this.#dealer.viewOf(worker).draining) this.#evaluation.join(worker, this.#dealer.blockMs(worker))
    const blocks = await this.#waits.for(done)
    weights?.end()
    return blocks
  }

  confirmed(): Promise<void> {
    return this.#checks.confirmed()
  }

  fail(error: Error): void {
    this.#waits.fail(error)
  }

  close(outcome: { finished: boolean; reason: string }): Promise<void> {
    return this.#parts.close(outcome)
  }

  /**
   * Advances the time, which finds workers that are silent or stuck for too long, and those that
   * take longer than others would. To be called about ten times a second.
   */
  tick(): void {
    this.#decide({ type: 'tick', now: this.#parts.now() })
    const atLanes = new Set(this.#dealer.workers.filter((worker) => this.#dealer.isBusy(worker)))
    this.#evaluation.tick(atLanes)
    this.#checks.tick(atLanes, (worker) => this.#dealer.laneMs(worker))
    this.#roster.probeClocks()
    this.#reduction.tick()
  }

  onReady(member: Member): string | undefined {
    const { run, allowMixedNumerics, precedent, now, observe } = this.#parts
    const roster = this.#roster
    const refusal = refusalOf(member.facts, run, { first: this.#first, precedent }, allowMixedNumerics)
    if (refusal !== undefined || member.facts === undefined) return refusal
    this.#first ??= { name: member.name, facts: member.facts }
    const spans = this.#spansFrom(member)
    roster.add(member, spans)
    spans.probe()
    this.#reduction.join(member)
    observe({ type: 'workerJoined', worker: member.name, workers: roster.size, engine: member.facts.engine.version, device: member.facts.engine.device, fingerprint: member.facts.fingerprint, sharesMemory: member.memory !== undefined })
    const difference = differenceOf(member.facts, this.#first, precedent)
    if (difference !== undefined) this.#tellDifference(member.name, difference)
    this.#decide({ type: 'joined', worker: member.name, now: now() })
    this.#evaluation.join(member.name, undefined)
    this.#checks.join(member)
    return undefined
  }

  /** Tells of a difference between workers, each of them once. */
  #tellDifference(worker: string, difference: string): void {
    if (this.#differences.size >= MOST_DIFFERENCES || this.#differences.has(difference)) return
    this.#differences.add(difference)
    this.#parts.observe({ type: 'fingerprintsDiffer', worker, difference, fingerprints: { ...this.#roster.fingerprints } })
  }

  #spansFrom(member: Member): RemoteSpans {
    const { run, now, onWorkerSpan } = this.#parts
    return new RemoteSpans({
      now: () => now() / 1000,
      ask: (sent) => member.send({ message: 'clockProbe', clockProbe: { sent } }),
      ...(run.trace ? { onSpan: (span) => onWorkerSpan?.(member.name, span) } : {}),
    })
  }

  onHeard(member: Member): void {
    this.#decide({ type: 'heard', worker: member.name, now: this.#parts.now() })
  }

  onComputed(member: Member, { round, lane, seconds }: LaneComputed): void {
    if (lane >= this.#parts.run.lanes) throw new ProtocolError(`lane ${lane} is not of this run`)
    requireBegun('TRAIN', round, this.#lastRound, 'a computed lane')
    this.#decide({ type: 'computed', worker: member.name, round, lane, ms: seconds * 1000, now: this.#parts.now() })
  }

  onAbandoned(member: Member, round: number): void {
    if (kindOf(round) === 'EVALUATE') return this.#evaluation.abandoned(member.name, round)
    requireBegun('TRAIN', round, this.#lastRound, 'the end of an abandoned step')
    this.#decide({ type: 'abandoned', worker: member.name, round, now: this.#parts.now() })
  }

  onDraining(member: Member): void {
    this.#evaluation.drain(member.name)
    this.#checks.drain(member.name)
    this.#decide({ type: 'draining', worker: member.name, now: this.#parts.now() })
  }

  onGradient(member: Member, chunk: GradientChunk): void {
    requireBegun('TRAIN', chunk.round, this.#lastRound, 'a gradient chunk')
    this.#reduction.receive(member, chunk)
  }

  /** Handles a partial that has arrived completely. One of a round that is over is late, and the dealer counts it as dropped. */
  #onPartial(member: Member, { round, attempt, node: index, lanes, began }: WholePartial): void {
    const node = this.#tree.nodes.at(index)
    if (!this.#roster.has(member) || node === undefined) return
    if (this.#lacksDigest(round, lanes)) return this.#roster.evict(member.name, `it has computed lanes of step ${stepOf(round) + 1} without telling their digests, which the run notes`)
    // The upload ends here and now; its beginning is by the worker's clock.
    this.#roster.spansOf(member)?.takeEnding({ name: 'upload', begin: began, step: stepOf(round), unit: lanes[0].lane })
    this.#checks.whole(member, { round, node: index, lanes, began, attempt })
    const actions = this.#dealer.step({ type: 'delivered', worker: member.name, round, begin: node.begin, end: node.end, now: this.#parts.now() })
    for (const action of actions) if (action.type === 'count') this.#count(member, lanes.filter(({ lane }) => action.lanes.includes(lane)))
    this.#carryOut(actions)
  }

  /** True if a partial of the open step lacks the digest of a lane, though they are noted. */
  #lacksDigest(round: number, lanes: readonly LaneReport[]): boolean {
    const { audit } = this.#parts.run
    return audit !== undefined && round === this.#step?.round && isAudited(audit, stepOf(round)) && lanes.some(({ digest }) => digest === undefined)
  }

  #onUnfinished({ name }: Member, { round, node: index }: UnfinishedPartial): void {
    const node = this.#tree.nodes.at(index)
    if (node === undefined) return
    this.#parts.observe({ type: 'uploadUnfinished', worker: name, step: stepOf(round), lanes: Array.from({ length: node.end - node.begin }, (_, i) => node.begin + i) })
  }

  #count({ name }: Member, lanes: readonly LaneReport[]): void {
    this.#step?.count(name, lanes)
    this.#roster.count(name, lanes)
  }

  onEvaluation(member: Member, result: EvaluationResult): void {
    this.#evaluation.deliver(member.name, result)
  }

  onChecked(member: Member, checked: Checked): void {
    this.#checks.answered(member.name, checked)
  }

  /** Puts out an identity, and disconnects its workers. */
  #putOut(who: Identity, why: { step: number; reason: string }): void {
    this.#parts.ban(who, why)
    for (const member of this.#roster.members) if (identityKey(member) === identityKey(who)) member.evict(`${who.identity} is out: ${why.reason}`)
  }

  onSpans(member: Member, spans: readonly Span[]): void {
    if (!this.#parts.run.trace) throw new ProtocolError('spans of a run that is not traced')
    this.#roster.spansOf(member)?.take(spans)
  }

  onClock(member: Member, answer: { sent: number; clock: number }): void {
    const spans = this.#roster.spansOf(member)
    if (spans === undefined) throw new ProtocolError('a clock reading of no member')
    spans.answered(answer)
  }

  onLost(member: Member, reason: string): void {
    if (!this.#forget(member)) return
    this.#parts.observe({ type: 'workerLost', worker: member.name, workers: this.#roster.size, reason })
    this.#decide({ type: 'lost', worker: member.name, now: this.#parts.now() })
  }

  #forget(member: Member): boolean {
    if (!this.#roster.remove(member)) return false
    this.#reduction.leave(member)
    this.#evaluation.lose(member.name)
    this.#checks.lose(member)
    return true
  }

  /** Passes an event to the dealer, and carries out what it decides. */
  #decide(event: DealerEvent): void {
    this.#carryOut(this.#dealer.step(event))
  }

  #carryOut(actions: readonly DealerAction[]): void {
    for (const action of actions) this.#act(action)
  }

  #act(action: DealerAction): void {
    const { observe, waitLimitMs } = this.#parts
    const roster = this.#roster
    switch (action.type) {
      case 'deal':
        this.#deal(action)
        break
      case 'release':
        roster.send(action.worker, { message: 'release', release: { round: action.round, units: action.lanes } })
        break
      case 'abandon':
        roster.send(action.worker, { message: 'abandon', abandon: { round: action.round } })
        break
      case 'count':
        // The partial is counted in `#onPartial`.
        break
      case 'drop':
        observe({ type: 'dropped', worker: action.worker, units: action.lanes, reason: action.reason })
        break
      case 'complete':
        this.#step?.complete()
        break
      case 'evict':
        roster.evict(action.worker, action.reason)
        break
      case 'dismiss':
        this.#dismiss(action.worker)
        break
      case 'waiting':
        observe({ type: 'waiting' })
        break
      case 'goingOn':
        observe({ type: 'goingOn', workers: roster.size, waitedSeconds: action.waitedMs / 1000 })
        break
      case 'gaveUp':
        this.fail(new InterruptedError(`--wait-for-workers ${Math.round(waitLimitMs / 1000)}: ${action.workers === 0 ? 'no worker is' : `only ${action.workers} of ${this.#dealer.wanted} workers are`} in after that time.`))
        break
      case 'gathered':
        this.#gathered.resolve()
        break
    }
  }

  #deal({ worker, lanes, attempt, reason }: Extract<DealerAction, { type: 'deal' }>): void {
    if (this.#step === undefined) throw new Error('a deal outside a step')
    const { round, at } = this.#step
    const member = this.#roster.named(worker)
    if (member !== undefined) {
      this.#reduction.dealt(member, round, lanes)
      this.#checks.dealt(member, lanes)
    }
    sendDeal(worker, { kind: 'TRAIN', round, ...at, attempt, units: lanes }, reason === 'takenOver', {
      observe: this.#parts.observe, send: (name, message) => this.#roster.send(name, message),
    })
  }

  /** Lets a worker leave that wanted to, and owes nothing any more. */
  #dismiss(worker: string): void {
    const member = this.#roster.named(worker)
    if (member === undefined) return
    this.#forget(member)
    this.#parts.observe({ type: 'workerLeft', worker, workers: this.#roster.size })
    member.send({ message: 'stop', stop: { finished: false, reason: 'it has left' } })
  }
}
