import { status } from '@grpc/grpc-js'
import { messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import { checked, checkedJson, PROTOCOL_VERSION, workerMessageSchema, type WorkerMessage } from '../../shared/wire/messages.ts'
import { engineInfoSchema } from '../../shared/engine/engine_info.ts'
import { failCall } from '../port/call_status.ts'
import { hostOf } from '../port/connections.ts'
import type { MemberHandler } from '../contract/member.ts'
import type { ReducerHub } from '../exchange/remote/hub.ts'
import type { Sessions } from './sessions.ts'
import type { MachineMemory } from './machine_memory.ts'
import type { ControlStream, WorkerSession } from './worker_session.ts'

export interface ControlParts {
  handler: MemberHandler
  sessions: Sessions
  maxWorkers: number
  runId: string
  /** JSON of the run's description. */
  run: string
  /** Where workers send gradients and get weights from, if not here. */
  reducers?: ReducerHub
  /** For workers on this machine. */
  memory?: MachineMemory
  /** How long a call may be silent before hello, and between hello and ready. From then on, the handler watches. */
  helloMs: number
  silenceMs: number
}

type MessageOf<T> = Extract<WorkerMessage, { message: T }>

/** One worker's control stream, from hello to its end. Whatever breaks the protocol ends this stream, and nothing else. */
export class ControlCall {
  readonly #call: ControlStream
  readonly #parts: ControlParts
  #session: WorkerSession | undefined
  #deadline: NodeJS.Timeout
  #over = false

  constructor(call: ControlStream, parts: ControlParts) {
    this.#call = call
    this.#parts = parts
    this.#deadline = setTimeout(() => this.#cut(`no hello came within ${parts.helloMs / 1000} s`), parts.helloMs)
    call.on('data', (raw: unknown) => this.#receive(raw))
    call.on('cancelled', () => this.#finish('the connection was lost'))
    call.on('error', () => this.#finish('the connection was lost'))
    call.on('end', () => {
      call.end()
      this.#finish('the worker closed the connection')
    })
  }

  #receive(raw: unknown): void {
    if (this.#over) return
    // A session that is not yet a member may not have heard of the end.
    if (this.#parts.sessions.closed) return void this.#call.end()
    try {
      this.#handle(checked(workerMessageSchema, raw, 'a message of a worker'))
    } catch (error) {
      this.#cut(messageOf(error))
    }
  }

  #handle(message: WorkerMessage): void {
    if (message.message === 'hello') return this.#greet(message.hello)
    const session = this.#session
    if (session === undefined) throw new ProtocolError(`${message.message} came before hello`)
    this.#deadline.refresh()
    switch (message.message) {
      case 'ready':
        return this.#admit(session, message.ready)
      case 'heartbeat':
        session.residentBytes = message.heartbeat.residentBytes
        return this.#parts.handler.onHeard(session)
      case 'computed':
        return this.#parts.handler.onComputed(session, message.computed)
      case 'abandoned':
        return this.#parts.handler.onAbandoned(session, message.abandoned.round)
      case 'draining':
        return this.#parts.handler.onDraining(session)
      case 'evaluation':
        return this.#parts.handler.onEvaluation(session, message.evaluation)
      case 'spans':
        return this.#parts.handler.onSpans(session, message.spans.spans)
      case 'clockReading':
        return this.#parts.handler.onClock(session, message.clockReading)
      case 'leaving':
        this.#call.end()
        this.#finish(message.leaving.reason)
    }
  }

  #greet({ protocolVersion, name, instance }: MessageOf<'hello'>['hello']): void {
    if (this.#session !== undefined) throw new ProtocolError('hello came twice')
    if (protocolVersion !== PROTOCOL_VERSION) {
      return this.#refuse(`this coordinator speaks protocol version ${PROTOCOL_VERSION}, the worker ${protocolVersion}: install the same version of Herd on both.`)
    }
    const { sessions, maxWorkers, silenceMs, reducers } = this.#parts
    if (reducers !== undefined && reducers.places === undefined) {
      const early = 'its reducers are not in yet'
      this.#finish(early)
      return failCall(this.#call, status.FAILED_PRECONDITION, early)
    }
    const session = sessions.open({ name, instance }, this.#call, (reason) => this.#cut(reason))
    if (session === undefined) {
      // No refusal, since others may leave: the worker tries again.
      const full = `${maxWorkers} workers are in, and --max-workers lets no more in`
      this.#finish(full)
      return failCall(this.#call, status.RESOURCE_EXHAUSTED, full)
    }
    this.#session = session
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.#cut(`nothing was heard of it for ${silenceMs / 1000} s`), silenceMs)
    if (reducers === undefined) this.#welcome(session)
    else void reducers.admit(session.id).then(() => this.#welcome(session))
  }

  #welcome(session: WorkerSession): void {
    if (this.#over) return
    const { runId, run, reducers, memory } = this.#parts
    const offer = memory?.offer(this.#call.getPeer())
    if (offer !== undefined) session.offerMemory(offer.gradients)
    session.send({ message: 'welcome', welcome: { session: session.id, runId, run, reducers: reducers?.places ?? [], sharedMemory: offer?.places } })
  }

  #admit(session: WorkerSession, { engine, fingerprint, datasetDigest, metricsAddress }: MessageOf<'ready'>['ready']): void {
    if (session.facts !== undefined) throw new ProtocolError('ready came twice')
    if (this.#parts.reducers === undefined && !session.canReceiveWeights) throw new ProtocolError('ready came before ReceiveWeights was opened')
    session.facts = { engine: checkedJson(engineInfoSchema, engine, 'the engine of a worker'), fingerprint, datasetDigest, metricsAddress: metricsAddress.startsWith(':') ? `${hostOf(this.#call.getPeer())}${metricsAddress}` : metricsAddress }
    clearTimeout(this.#deadline)
    const refusal = this.#parts.handler.onReady(session)
    if (refusal !== undefined) this.#refuse(refusal)
  }

  #refuse(reason: string): void {
    const message = { message: 'refused', refused: { reason } } as const
    if (this.#session === undefined) {
      this.#call.write(message)
      this.#call.end()
    } else this.#session.end(message)
    this.#finish(reason)
  }

  /** Ends the stream with a reason that the worker is told. */
  #cut(reason: string): void {
    if (this.#finish(reason)) failCall(this.#call, status.ABORTED, reason)
  }

  /** @returns false when the call was over before, or the server has ended its session: who leaves then is not lost. */
  #finish(reason: string): boolean {
    if (this.#over) return false
    this.#over = true
    clearTimeout(this.#deadline)
    if (this.#session === undefined) return true
    const wasOpen = this.#parts.sessions.remove(this.#session)
    if (wasOpen) this.#parts.handler.onLost(this.#session, reason)
    this.#parts.reducers?.dismiss(this.#session.id)
    return wasOpen
  }
}
