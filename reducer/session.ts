import { messageOf, ProtocolError } from '../shared/kit/errors.ts'
import type { Layout } from '../shared/model/layout.ts'
import { layoutOfRange } from '../shared/model/layout.ts'
import type { SpanObserver } from '../shared/trace/span.ts'
import { copyOfState, type Optimizer, type OptimizerState } from '../shared/optim/optimizer.ts'
import { LaneTree } from '../shared/lanes/lane_tree.ts'
import type { Assigned, Gather, GradientChunk, ReducerMessage, ReductionMessage } from '../shared/wire/messages.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import type { Claims } from '../coordinator/exchange/worker_streams.ts'
import { Model } from '../shared/optim/stepped_weights.ts'
import { RangeReducer, type ExchangedRun, type StepToReduce } from '../coordinator/exchange/range_reducer.ts'
import { NO_PHASES, sumOfPhases, type PhaseSeconds } from '../coordinator/contract/step_split.ts'
import { kindOf, stepOf } from '../coordinator/contract/rounds.ts'
import { AdmittedWorker } from './admitted_worker.ts'

export interface ReducerSessionParts {
  assigned: Pick<Assigned, 'begin' | 'end' | 'version'>
  /** Layout of the whole vector. */
  layout: Layout
  run: ExchangedRun & Pick<RunDescription, 'lanes'>
  optimizer: Optimizer
  /** Initial weights and moments of the range. */
  start: OptimizerState
  send: (message: ReducerMessage) => void
  /** Sends a state, which is a copy that does not change meanwhile. */
  sendState: (gather: Gather, state: OptimizerState) => void
  connections: Claims
  /** Seconds on a monotonic clock. */
  now: () => number
  onSpan?: SpanObserver
  /** Floats per chunk on the wire; undefined means the default. */
  chunkFloats?: number
}

/** A reducer's work in one run: handles the coordinator's messages, and reduces the gradients that workers send. */
export class ReducerSession {
  readonly #parts: ReducerSessionParts
  readonly #reducer: RangeReducer<AdmittedWorker>
  readonly #workers = new Map<string, AdmittedWorker>()
  /** The newest round that has begun. */
  #round: number
  /** Number of steps that have been settled. */
  #version: number
  /** State of the round: being reduced, summed, or settled. */
  #state: 'open' | 'summed' | 'settled' = 'settled'
  /** Seconds that settling the last step took. They are reported with the next step, whose lanes waited for these weights. */
  #settling: PhaseSeconds = NO_PHASES

  constructor(parts: ReducerSessionParts) {
    const { assigned, layout, run, optimizer, start, now, onSpan, chunkFloats } = parts
    const { begin, end, version } = assigned
    const range = { begin, end }
    this.#parts = parts
    this.#round = 2 * version
    this.#version = version
    this.#reducer = new RangeReducer<AdmittedWorker>({
      range, model: new Model(layoutOfRange(layout, range), optimizer, start), version, run, tree: new LaneTree(run.lanes), now, ...(onSpan === undefined ? {} : { onSpan }), ...(chunkFloats === undefined ? {} : { chunkFloats }),
      onPartial: ({ id }, partial) => parts.send({ message: 'whole', whole: { session: id, ...partial } }),
      onUnfinished: ({ id }, partial) => parts.send({ message: 'unfinished', unfinished: { session: id, ...partial } }),
      onDeposit: ({ id }, { round, node, floats, digest }) => parts.send({ message: 'deposited', deposited: { session: id, round, node, floats, digest } }),
    })
  }

  /** Handles a message of the coordinator. @throws ProtocolError if the message is not valid now */
  take(message: Exclude<ReductionMessage, { message: 'assigned' | 'refused' | 'stop' | 'clockProbe' }>): void {
    switch (message.message) {
      case 'admit':
        return this.#admit(message.admit.session)
      case 'join': {
        const worker = this.#workers.get(message.join.session)
        if (worker === undefined) return
        worker.isMember = true
        // The worker may open its stream of weights only after this message has come.
        if (worker.streams.hasWeights) this.#reducer.join(worker)
        return
      }
      case 'dismissed':
        return this.#dismiss(message.dismissed.session)
      case 'begin':
        return this.#begin(message.begin)
      case 'dealt': {
        const worker = this.#workers.get(message.dealt.session)
        if (worker === undefined) return
        this.#reducer.dealt(worker, message.dealt.round, message.dealt.lanes)
        return this.#takeEarly(worker)
      }
      case 'settle':
        if (message.settle.round !== this.#round || this.#state !== 'summed') throw new ProtocolError(`the coordinator settles round ${message.settle.round}, which is not summed`)
        this.#state = 'settled'
        this.#version = stepOf(this.#round) + 1
        this.#settling = this.#reducer.settle(message.settle)
        return
      case 'gather': {
        const { parameters, moments } = this.#reducer.state
        const { version } = message.gather
        if (version !== this.#version) throw new ProtocolError(`the coordinator asks for weights ${version}, where weights ${this.#version} are`)
        return this.#parts.sendState(message.gather, copyOfState({ parameters, moments: message.gather.moments ? moments : [] }))
      }
    }
  }

  /** Finds an admitted worker by its session id; undefined if the session is not admitted. */
  readonly worker = (id: string): AdmittedWorker | undefined => this.#workers.get(id)

  close(): void {
    for (const id of [...this.#workers.keys()]) this.#dismiss(id)
  }

  #admit(session: string): void {
    if (this.#workers.has(session)) throw new ProtocolError('a worker is admitted twice')
    this.#workers.set(session, new AdmittedWorker({
      id: session, connections: this.#parts.connections,
      onWeights: (worker) => (worker.isMember ? this.#reducer.join(worker) : undefined),
      onGradient: (worker, chunk) => this.#receive(worker, chunk),
      onBroken: (reason) => this.#parts.send({ message: 'broken', broken: { session, reason } }),
    }))
    this.#parts.send({ message: 'admitted', admitted: { session } })
  }

  #receive(worker: AdmittedWorker, chunk: GradientChunk): void {
    if (kindOf(chunk.round) !== 'TRAIN') throw new ProtocolError(`a gradient chunk names round ${chunk.round}, which is of another kind`)
    // The chunk has come before the `begin` of its step, or before its lanes are known to be dealt: they travel over different connections.
    if (chunk.round > this.#round || !this.#reducer.wasDealt(worker, chunk)) return worker.hold(chunk)
    this.#add(worker, chunk)
  }

  /** Takes a chunk that was held, if there is one, unless it has to wait longer. */
  #takeEarly(worker: AdmittedWorker): void {
    const early = worker.release()
    if (early === undefined) return
    try {
      this.#receive(worker, early)
    } catch (error) {
      worker.evict(messageOf(error))
    }
  }

  #begin(step: StepToReduce): void {
    const { round } = step
    if (this.#state !== 'settled') throw new ProtocolError(`the coordinator begins round ${round}, and round ${this.#round} is not settled`)
    if (round <= this.#round || kindOf(round) !== 'TRAIN' || stepOf(round) < this.#parts.assigned.version) throw new ProtocolError(`the coordinator begins round ${round} after round ${this.#round}`)
    this.#round = round
    this.#state = 'open'
    this.#reducer.begin(step)
    for (const worker of [...this.#workers.values()]) this.#takeEarly(worker)
  }

  #add(worker: AdmittedWorker, chunk: GradientChunk): void {
    this.#reducer.receive(worker, chunk)
    const { sums } = this.#reducer
    if (this.#state !== 'open' || sums === undefined) return
    this.#state = 'summed'
    const { squares, notFinite, phases } = sums
    const traffic = [...this.#workers.values()].map(({ id, streams: { received, sent } }) => ({ session: id, received, sent }))
    this.#parts.send({ message: 'summed', summed: { round: this.#round, squares, ...(notFinite === undefined ? {} : { notFinite }), ...sumOfPhases(phases, this.#settling), traffic } })
  }

  #dismiss(id: string): void {
    const worker = this.#workers.get(id)
    if (worker === undefined) return
    this.#workers.delete(id)
    this.#reducer.leave(worker)
    worker.close()
  }
}
