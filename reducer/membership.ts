import { status, type ClientDuplexStream, type ClientReadableStream, type ClientWritableStream, type ServiceError } from '@grpc/grpc-js'
import { deferred, Turns } from '../shared/kit/async.ts'
import { messageOf, ProtocolError, RunError } from '../shared/kit/errors.ts'
import { layoutOf } from '../shared/model/layout.ts'
import { machineSeconds } from '../shared/trace/span.ts'
import { SpanOutbox } from '../shared/trace/span_outbox.ts'
import { freshState, type Optimizer, type OptimizerState } from '../shared/optim/optimizer.ts'
import { optimizerOf } from '../shared/optim/optimizers.ts'
import type { Access } from '../shared/wire/client_access.ts'
import { openChannel, reasonOf } from '../shared/wire/channel.ts'
import { drained } from '../shared/kit/drained.ts'
import { checked, checkedJson, PROTOCOL_VERSION, reductionMessageSchema, stateChunkSchema, type Assigned, type Gather, type ReducerMessage, type ReductionMessage, type StateChunk } from '../shared/wire/messages.ts'
import { runDescriptionSchema } from '../shared/wire/run_description.ts'
import type { ReducerServer } from './server.ts'
import { ReducerSession } from './session.ts'
import { StateInbox, stateChunks } from '../coordinator/exchange/remote/state_chunks.ts'

interface Streams {
  reduce(): ClientDuplexStream<ReducerMessage, unknown>
  fetchState(request: { session: string }): ClientReadableStream<unknown>
  sendState(callback: (error: ServiceError | null) => void): ClientWritableStream<StateChunk>
  close(): void
}

/** `stopped`: the coordinator has ended in order, and its run is not finished. */
export type MembershipEnd = { how: 'finished' } | { how: 'stopped' | 'lost'; reason: string; assigned: boolean }

const HEARTBEAT_MS = 1000

/**
 * One membership of a reducer in a run, from hello to its end, over three connections of its own to the coordinator: small messages
 * never wait behind megabytes, and megabytes in both directions never for each other.
 */
export class ReducerMembership {
  readonly #access: Access
  readonly #server: ReducerServer
  readonly #control: ClientDuplexStream<ReducerMessage, unknown>
  readonly #channels: Streams[]
  readonly #ended = deferred<MembershipEnd>()
  #assigned: Assigned | undefined
  #session: ReducerSession | undefined
  #outbox: SpanOutbox | undefined
  #stopped: MembershipEnd | undefined
  /** States are sent one after the other. */
  readonly #sending = new Turns()

  /** @param address HOST:PORT of the server for workers, or :PORT where it is on every address of this machine */
  constructor(coordinator: string, access: Access, server: ReducerServer, address: string) {
    this.#access = access
    this.#server = server
    this.#channels = (['control', 'down', 'up'] as const).map((kind) => openChannel<Streams>(coordinator, access, kind, `herd-reducer-${kind}`))
    this.#control = this.#channels[0].reduce()
    this.#control.on('data', (raw: unknown) => {
      try {
        this.#take(checked(reductionMessageSchema, raw, 'a message of the coordinator'))
      } catch (error) {
        this.#ended.reject(error)
      }
    })
    this.#control.on('error', (error: ServiceError) => {
      // Trying again with the same token would be in vain.
      if (error.code === status.UNAUTHENTICATED) this.#ended.reject(new RunError(error.details))
      else this.#lose(reasonOf(error, access))
    })
    this.#control.on('end', () => this.#lose('the coordinator closed the connection'))
    this.#send({ message: 'hello', hello: { protocolVersion: PROTOCOL_VERSION, address } })
  }

  /**
   * Takes part until the run ends, or the coordinator is lost.
   * @throws RunError when the coordinator refuses the reducer, or breaks the protocol.
   */
  async run(): Promise<MembershipEnd> {
    const heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS)
    try {
      return await this.#ended.promise
    } finally {
      clearInterval(heartbeat)
      this.#server.session = undefined
      this.#session?.close()
      this.#control.end()
      for (const channel of this.#channels) channel.close()
    }
  }

  /** Leaves at once. */
  leave(): void {
    this.#lose('it was asked to stop')
  }

  #lose(reason: string): void {
    this.#ended.resolve(this.#stopped ?? { how: 'lost', reason, assigned: this.#assigned !== undefined })
  }

  #send(message: ReducerMessage): void {
    this.#control.write(message)
  }

  #beat(): void {
    if (this.#assigned !== undefined) this.#send({ message: 'heartbeat', heartbeat: {} })
    this.#outbox?.flush()
  }

  #take(message: ReductionMessage): void {
    switch (message.message) {
      case 'assigned':
        if (this.#assigned !== undefined) throw new ProtocolError('assigned came twice')
        this.#assigned = message.assigned
        this.#load(message.assigned).catch(this.#ended.reject)
        return
      case 'refused':
        return this.#ended.reject(new ProtocolError(`the coordinator refuses this reducer: ${message.refused.reason}`))
      case 'stop':
        this.#stopped = message.stop.finished ? { how: 'finished' } : { how: 'stopped', reason: `the coordinator stops: ${message.stop.reason}`, assigned: true }
        return
      case 'clockProbe':
        return this.#send({ message: 'clockReading', clockReading: { sent: message.clockProbe.sent, clock: machineSeconds() } })
      default:
        if (this.#session === undefined) throw new ProtocolError(`${message.message} came before the reducer was ready`)
        this.#session.take(message)
        if (message.message === 'settle') this.#outbox?.flush()
        return
    }
  }

  async #load(assigned: Assigned): Promise<void> {
    const { session, begin, end, run: json } = assigned
    const run = checkedJson(runDescriptionSchema, json, "the coordinator's run")
    const layout = layoutOf(run.network)
    if (end > layout.size) throw new ProtocolError(`the coordinator assigns parameters ${begin} to ${end - 1} of ${layout.size}.`)
    const optimizer = optimizerOf(run.optimizer)
    const start = await this.#fetchState(session, optimizer, { begin, end })
    this.#outbox = run.trace ? new SpanOutbox((spans) => this.#send({ message: 'spans', spans: { spans } })) : undefined
    this.#session = new ReducerSession({
      assigned, layout, run, optimizer, start, connections: this.#server.connections, now: machineSeconds,
      send: (message) => this.#send(message),
      sendState: (gather, state) => this.#sendState(session, gather, { begin, end }, state),
      ...(this.#outbox === undefined ? {} : { onSpan: (span) => this.#outbox?.add(span) }),
    })
    this.#server.session = this.#session
    this.#send({ message: 'ready', ready: {} })
  }

  async #fetchState(session: string, optimizer: Optimizer, range: { begin: number; end: number }): Promise<OptimizerState> {
    const state = freshState(optimizer, range.end - range.begin)
    const inbox = new StateInbox(state, range, range.begin)
    const call = this.#channels[1].fetchState({ session })
    try {
      for await (const raw of call as AsyncIterable<unknown>) inbox.receive(checked(stateChunkSchema, raw, 'a chunk of a state'))
    } catch (error) {
      if (error instanceof ProtocolError) throw error
      throw new RunError(`the coordinator does not send the weights: ${reasonOf(error as ServiceError, this.#access)}`)
    } finally {
      call.cancel()
    }
    if (!inbox.complete) throw new ProtocolError('the coordinator sent a part of the weights only.')
    return state
  }

  #sendState(session: string, { id }: Gather, range: { begin: number; end: number }, state: OptimizerState): void {
    const send = async (): Promise<void> => {
      const call = this.#channels[2].sendState((error) => {
        if (error !== null) this.#lose(reasonOf(error, this.#access))
      })
      call.on('error', (error: Error) => this.#lose(messageOf(error)))
      for (const chunk of stateChunks(state, range, range.begin)) {
        if (call.destroyed) return
        if (!call.write({ session, id, ...chunk })) await drained(call)
      }
      call.end()
    }
    void this.#sending.take(send)
  }
}
