import { deferred, type Deferred } from '../../../shared/kit/async.ts'
import { ProtocolError, RunError } from '../../../shared/kit/errors.ts'
import { RemoteSpans } from '../../../shared/trace/remote_spans.ts'
import type { Span } from '../../../shared/trace/span.ts'
import type { Optimizer, OptimizerState } from '../../../shared/optim/optimizer.ts'
import type { ReducerMessage, ReducerPlace, ReductionMessage, StateChunk, Summed, Whole } from '../../../shared/wire/messages.ts'
import type { ControlOutlet } from '../../protocol/control.ts'
import { Controls } from '../../protocol/controls.ts'
import type { RunEvent } from '../../contract/events.ts'
import type { Member } from '../../contract/member.ts'
import { stepOf } from '../../contract/rounds.ts'
import type { StepToReduce } from '../range_reducer.ts'
import type { Reduction, ReductionSurroundings, Traffic } from '../reduction.ts'
import { NO_PHASES, type PhaseSeconds } from '../../contract/step_split.ts'
import type { RangeSums, Verdict } from '../step_update.ts'
import type { Range } from '../../../shared/vectors/chunks.ts'
import type { Claims } from '../worker_streams.ts'
import { Gatherings } from './gathering.ts'
import { ReducerControl, type ReducerSlot } from './reducer_control.ts'
import { stateChunks } from '../../../shared/wire/state_chunks.ts'

export interface ReducerHubParts {
  /** Ranges of the reducers, in the vector's order. */
  ranges: readonly Range[]
  /** JSON of the run's description. */
  run: string
  optimizer: Optimizer
  /** Initial weights and moments of the whole vector; must not change. */
  start: Readonly<OptimizerState>
  /** Version of the initial weights: the number of steps already taken. */
  version: number
  /** True if the coordinator starts the reducers on its own machine: workers then reach them at the coordinator's host. */
  local: boolean
  /** A reducer that is silent for this long is lost. */
  silenceLimitMs: number
  /** Milliseconds on a monotonic clock. */
  now: () => number
  /** Returns a secret that no reducer has had. */
  newId: () => string
  /** Floats per chunk on the wire; undefined means the default. The reducers must use the same. */
  chunkFloats?: number
  observe: (event: RunEvent) => void
  /** Receives the reducers' spans, on the coordinator's clock; undefined if the run is not traced. */
  onReducerSpan?: (reducer: string, span: Span) => void
}

/** A reducer, and with it its part of the weights, is lost. */
export class ReducerLostError extends RunError {}

interface OpenStep {
  round: number
  /** Sums by index of the reducer; undefined until the reducer reports them. */
  sums: (RangeSums | undefined)[]
  completed: Deferred<RangeSums[]>
}

/** A worker's session as the hub tracks it. */
interface Session {
  /** The member; undefined until the worker has joined the reduction. */
  member: Member | undefined
  /** Reducers that have admitted the session. */
  admitted: Set<ReducerControl>
  /** Called once all reducers have admitted the session. */
  onAdmitted: () => void
  /** Number of reducers that have received a partial completely, by round, attempt and node. */
  whole: Map<string, { round: number; reducers: number }>
  traffic: Map<ReducerControl, Traffic>
}

const HELLO_MS = 8000

/**
 * The coordinator's side of a run's reducer processes. Every reducer gets the same messages over a stream that keeps their order, so all
 * do the same in the same order, and between two steps all are at the same step.
 */
export class ReducerHub implements Reduction {
  readonly #parts: ReducerHubParts
  readonly #reducers: (ReducerControl | undefined)[]
  readonly #controls: Controls<ReductionMessage>
  /** Reducers that have loaded their part of the weights, with the spans that come from each. */
  readonly #loaded = new Map<ReducerControl, RemoteSpans>()
  readonly #sessions = new Map<string, Session>()
  /** Members that have left since the step began, by session. */
  readonly #departed = new Map<string, Member>()
  readonly #gatherings: Gatherings
  readonly #joined = deferred<void>()
  #surroundings: ReductionSurroundings | undefined
  #open: OpenStep | undefined
  /** Number of steps that have been settled. */
  #version: number
  #failure: Error | undefined
  #ready = false
  #closed = false

  constructor(parts: ReducerHubParts) {
    this.#parts = parts
    this.#version = parts.version
    this.#reducers = parts.ranges.map(() => undefined)
    this.#gatherings = new Gatherings(parts.ranges, parts.optimizer)
    this.#controls = new Controls(parts.now)
    this.#joined.promise.catch(() => undefined)
  }

  /** Begins the reduction for a cluster. */
  readonly reduce = (surroundings: ReductionSurroundings): Reduction => {
    this.#surroundings = surroundings
    return this
  }

  /** Settles when every reducer has joined and loaded its part of the weights. @throws the error of `fail`; RunError if the run ends before */
  ready(): Promise<void> {
    return this.#joined.promise
  }

  /** Makes everything that waits for reducers fail with this error. */
  fail(error: Error): void {
    if (this.#failure !== undefined || this.#closed) return
    this.#giveUp(error)
    this.#surroundings?.onFailed(error)
  }

  // Sessions of workers.

  /** Addresses at which workers reach the reducers, in the vector's order; undefined until all reducers are ready. */
  get places(): ReducerPlace[] | undefined {
    if (!this.#ready) return undefined
    return this.#reducers.flatMap((reducer) => (reducer === undefined ? [] : [{ address: this.#parts.local ? `:${reducer.address.slice(reducer.address.lastIndexOf(':') + 1)}` : reducer.reachedAt, ...reducer.range }]))
  }

  /** Announces a worker's session to all reducers. Settles when the worker may call them. */
  admit(id: string): Promise<void> {
    return new Promise((resolve) => {
      this.#sessions.set(id, { member: undefined, admitted: new Set(), onAdmitted: resolve, whole: new Map(), traffic: new Map() })
      this.#tell({ message: 'admit', admit: { session: id } })
    })
  }

  /** Ends a worker's session at all reducers. */
  dismiss(id: string): void {
    if (this.#sessions.delete(id)) this.#tell({ message: 'dismissed', dismissed: { session: id } })
  }

  // The reduction.

  join(member: Member): void {
    const session = this.#sessions.get(member.id)
    if (session !== undefined) session.member = member
    this.#tell({ message: 'join', join: { session: member.id } })
  }

  leave(member: Member): void {
    this.#departed.set(member.id, member)
    this.dismiss(member.id)
  }

  dealt({ id: session }: Member, round: number, lanes: readonly number[]): void {
    this.#tell({ message: 'dealt', dealt: { session, round, lanes: [...lanes] } })
  }

  begin(step: StepToReduce): void {
    this.#departed.clear()
    // No more chunks come of a partial that was given up half-way.
    for (const { whole } of this.#sessions.values()) {
      for (const [key, { round }] of whole) if (round < step.round - 2) whole.delete(key)
    }
    this.#open = { round: step.round, sums: this.#parts.ranges.map(() => undefined), completed: deferred() }
    this.#tell({ message: 'begin', begin: step })
  }

  receive(): never {
    throw new ProtocolError('gradients of this run go to its reducers')
  }

  async sums(): Promise<{ begin: number; sums: RangeSums }[]> {
    const { ranges } = this.#parts
    const sums = (await this.#open?.completed.promise) ?? []
    return sums.map((ofRange, index) => ({ begin: ranges[index].begin, sums: ofRange }))
  }

  settle(verdict: Verdict): PhaseSeconds {
    if (this.#open === undefined) return NO_PHASES
    this.#tell({ message: 'settle', settle: { round: this.#open.round, ...verdict } })
    this.#version = stepOf(this.#open.round) + 1
    this.#open = undefined
    return NO_PHASES
  }

  trafficOf({ id }: Member): Traffic {
    const traffic = [...(this.#sessions.get(id)?.traffic.values() ?? [])]
    return { received: traffic.reduce((sum, each) => sum + each.received, 0), sent: traffic.reduce((sum, each) => sum + each.sent, 0) }
  }

  tick(): void {
    for (const reducer of this.#reducers) if (reducer !== undefined) this.#loaded.get(reducer)?.probe()
  }

  snapshot(): Promise<OptimizerState> {
    return this.#gather(true)
  }

  async parameters(): Promise<Float32Array> {
    return (await this.#gather(false)).parameters
  }

  // Calls from the server.

  /** Takes a reducer that has opened its control stream. @param connections all connections to the coordinator */
  accept(outlet: ControlOutlet<ReductionMessage>, connections: Claims): ReducerControl {
    const control = new ReducerControl(outlet, {
      id: this.#parts.newId(), connections, helloMs: HELLO_MS, silenceMs: this.#parts.silenceLimitMs,
      takePlace: (reducer) => this.#takePlace(reducer),
      onPlaced: (reducer) => this.#assign(reducer),
      onMessage: (reducer, message) => this.#take(reducer, message),
      onLost: (reducer, reason) => this.#lose(reducer, reason),
    })
    this.#controls.add(control)
    return control
  }

  /** Advances the time, which finds reducers that have been silent for too long. */
  watch(): void {
    this.#controls.tick()
  }

  /**
   * Returns the initial state of a reducer's range.
   * @param id session of the reducer
   * @param peer HOST:PORT of its connection
   * @throws ProtocolError if no reducer has this session, or it has loaded its state before
   */
  startOf(id: string, peer: string): Iterable<StateChunk> {
    const reducer = this.reducerOf(id)
    if (this.#loaded.has(reducer)) throw new ProtocolError('the reducer has its state')
    reducer.claim(peer)
    return stateChunks(this.#parts.start, reducer.range, 0, { session: '', id: 0 }, this.#parts.chunkFloats)
  }

  /** Finds the reducer of a session. @throws ProtocolError if there is none */
  reducerOf(id: string): ReducerControl {
    const reducer = this.#reducers.find((each) => each?.id === id)
    if (reducer === undefined || id === '') throw new ProtocolError('no such reducer')
    return reducer
  }

  /** Takes a chunk of a reducer's state. @throws ProtocolError if it was not requested, or does not follow the one before it */
  receiveState(reducer: ReducerControl, chunk: StateChunk): void {
    if (reducer.id !== chunk.session) throw new ProtocolError('a chunk of a state of another reducer')
    this.#gatherings.receive(reducer.number - 1, chunk)
  }

  /** Ends the memberships of all reducers, since the run is over. */
  close(outcome: { finished: boolean; reason: string }): void {
    this.#giveUp(new RunError('the run is over'))
    this.#closed = true
    this.#controls.end({ message: 'stop', stop: outcome })
  }

  #giveUp(error: Error): void {
    this.#failure ??= error
    this.#joined.reject(error)
    this.#gatherings.fail(error)
  }

  #takePlace(reducer: ReducerControl): ReducerSlot | undefined {
    const index = this.#closed || this.#failure !== undefined ? -1 : this.#reducers.indexOf(undefined)
    if (index < 0) return undefined
    this.#reducers[index] = reducer
    return { number: index + 1, range: this.#parts.ranges[index] }
  }

  #assign(reducer: ReducerControl): void {
    const { run, version } = this.#parts
    reducer.send({ message: 'assigned', assigned: { session: reducer.id, run, ...reducer.range, version } })
  }

  #take(reducer: ReducerControl, message: Exclude<ReducerMessage, { message: 'hello' | 'heartbeat' }>): void {
    switch (message.message) {
      case 'ready':
        return this.#onLoaded(reducer)
      case 'admitted':
        return this.#onAdmitted(reducer, message.admitted.session)
      case 'whole':
        return this.#onWhole(message.whole)
      case 'summed':
        return this.#onSummed(reducer, message.summed)
      case 'unfinished': {
        const { session, ...partial } = message.unfinished
        const member = this.#departed.get(session)
        if (member !== undefined) this.#surroundings?.onUnfinished(member, partial)
        return
      }
      case 'deposited': {
        const { session, ...deposit } = message.deposited
        const member = this.#sessions.get(session)?.member ?? this.#departed.get(session)
        if (member !== undefined) this.#surroundings?.onDeposit(member, { ...deposit, begin: reducer.range.begin })
        return
      }
      case 'broken': {
        const { session, reason } = message.broken
        this.#sessions.get(session)?.member?.evict(`${reason} (reducer ${reducer.number})`)
        return
      }
      case 'spans':
        return this.#loaded.get(reducer)?.take(message.spans.spans)
      case 'clockReading':
        return this.#onClock(reducer, message.clockReading)
    }
  }

  #onLoaded(reducer: ReducerControl): void {
    this.#loaded.set(reducer, this.#spansFrom(reducer))
    this.#parts.observe({ type: 'reducerJoined', reducer: reducer.number, address: reducer.reachedAt, ...reducer.range })
    if (this.#loaded.size < this.#parts.ranges.length) return
    this.#ready = true
    this.#joined.resolve()
  }

  #onAdmitted(reducer: ReducerControl, id: string): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    session.admitted.add(reducer)
    if (session.admitted.size === this.#parts.ranges.length) session.onAdmitted()
  }

  #onWhole({ session: id, ...partial }: Whole): void {
    const session = this.#sessions.get(id)
    if (session?.member === undefined) return
    const key = `${partial.round}/${partial.attempt}/${partial.node}`
    const reducers = (session.whole.get(key)?.reducers ?? 0) + 1
    session.whole.set(key, { round: partial.round, reducers })
    if (reducers < this.#parts.ranges.length) return
    session.whole.delete(key)
    this.#surroundings?.onPartial(session.member, partial)
  }

  #onSummed(reducer: ReducerControl, { round, squares, notFinite, traffic, ...phases }: Summed): void {
    for (const { session, ...ofSession } of traffic) this.#sessions.get(session)?.traffic.set(reducer, ofSession)
    const open = this.#open
    if (open?.round !== round) throw new ProtocolError(`the sums of round ${round} came, which is not open`)
    open.sums[reducer.number - 1] = { squares, notFinite, phases }
    const all = open.sums.filter((sums) => sums !== undefined)
    if (all.length === open.sums.length) open.completed.resolve(all)
  }

  #onClock(reducer: ReducerControl, reading: { sent: number; clock: number }): void {
    const spans = this.#loaded.get(reducer)
    if (spans === undefined) throw new ProtocolError('a clock reading came before ready')
    spans.answered(reading)
  }

  #spansFrom(reducer: ReducerControl): RemoteSpans {
    const { now, onReducerSpan } = this.#parts
    return new RemoteSpans({
      now: () => now() / 1000,
      ask: (sent) => reducer.send({ message: 'clockProbe', clockProbe: { sent } }),
      ...(onReducerSpan === undefined ? {} : { onSpan: (span) => onReducerSpan(`reducer ${reducer.number}`, span) }),
    })
  }

  /** Handles the loss of a reducer: its place is free again if the reducers are not all ready yet; afterwards, the run fails. */
  #lose(reducer: ReducerControl, reason: string): void {
    this.#loaded.delete(reducer)
    if (!this.#ready) this.#reducers[reducer.number - 1] = undefined
    if (this.#closed) return
    this.#parts.observe({ type: 'reducerLost', reducer: reducer.number, reason })
    if (this.#ready) this.fail(new ReducerLostError(`reducer ${reducer.number} at ${reducer.reachedAt} is lost: ${reason}. Its part of the weights since the last checkpoint is lost with it.`))
  }

  #gather(moments: boolean): Promise<OptimizerState> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (!this.#ready) return Promise.reject(new RunError('The run is being prepared.'))
    const { id, complete } = this.#gatherings.begin(moments)
    this.#tell({ message: 'gather', gather: { id, moments, version: this.#version } })
    return complete
  }

  #tell(message: ReductionMessage): void {
    for (const reducer of this.#reducers) reducer?.send(message)
  }
}
