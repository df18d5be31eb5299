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
  /** Of the whole vector. */
  layout: Layout
  run: ExchangedRun & Pick<RunDescription, 'lanes'>
  optimizer: Optimizer
  /** Weights and moments of the range. */
  start: OptimizerState
  send: (message: ReducerMessage) => void
  /** Sends a copy of the state: it does not change meanwhile. */
  sendState: (gather: Gather, state: OptimizerState) => void
  connections: Claims
  /** Seconds on a clock that only goes forward. */
  now: () => number
  onSpan?: SpanObserver
  /** Floats of one chunk on the wire, where it is not the default. */
  chunkFloats?: number
}

/** What a reducer does in one run: it carries out what the coordinator says, and reduces what workers send. */
export class ReducerSession {
  readonly #parts: ReducerSessionParts
  readonly #reducer: RangeReducer<AdmittedWorker>
  readonly #workers = new Map<string, AdmittedWorker>()
  /** The newest round that has begun. */
  #round: number
  /** Steps that have been settled. */
  #version: number
  /** Where the round is: being reduced, summed, or settled. */
  #state: 'open' | 'summed' | 'settled' = 'settled'
  /** What settling the step before took: the step that waited for its weights is told of it. */
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
    })
  }

  /** Carries out what the coordinator says. @throws ProtocolError for what cannot be now. */
  take(message: Exclude<ReductionMessage, { message: 'assigned' | 'refused' | 'stop' | 'clockProbe' }>): void {
    switch (message.message) {
      case 'admit':
        return this.#admit(message.admit.session)
      case 'join': {
        const worker = this.#workers.get(message.join.session)
        if (worker === undefined) return
        worker.isMember = true
        // Its stream may come later than the coordinator's word.
        if (worker.streams.hasWeights) this.#reducer.join(worker)
        return
      }
      case 'dismissed':
        return this.#dismiss(message.dismissed.session)
      case 'begin':
        return this.#begin(message.begin)
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

  /** A worker that was admitted; undefined for a session that is not. */
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
    // The lanes were dealt after the step had begun, but over another connection than the word of that came to this process.
    if (chunk.round > this.#round) return worker.hold(chunk)
    this.#add(worker, chunk)
  }

  #begin(step: StepToReduce): void {
    const { round } = step
    if (this.#state !== 'settled') throw new ProtocolError(`the coordinator begins round ${round}, and round ${this.#round} is not settled`)
    if (round <= this.#round || kindOf(round) !== 'TRAIN' || stepOf(round) < this.#parts.assigned.version) throw new ProtocolError(`the coordinator begins round ${round} after round ${this.#round}`)
    this.#round = round
    this.#state = 'open'
    this.#reducer.begin(step)
    for (const worker of [...this.#workers.values()]) {
      const early = worker.release()
      if (early === undefined) continue
      try {
        if (early.round > round) worker.hold(early)
        else this.#add(worker, early)
      } catch (error) {
        worker.evict(messageOf(error))
      }
    }
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
