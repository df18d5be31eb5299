import { status, type handleBidiStreamingCall, type handleClientStreamingCall, type handleServerStreamingCall, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { newSecret } from '../../shared/security/secret.ts'
import type { ImageSource } from '../../shared/data/sources/image_source.ts'
import { copyParts, manifestParts, type ManifestPart, type ManifestSource } from '../../shared/data/manifest.ts'
import { DataError, messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import type { RunBrief } from '../../live/view.ts'
import { drained } from '../../shared/kit/drained.ts'
import { checked, imagesRequestSchema, manifestRequestSchema, reducerMessageSchema, sessionRequestSchema, stateChunkSchema, watchRequestSchema, workerMessageSchema, type CoordinatorMessage, type ReductionMessage, type StateChunk } from '../../shared/wire/messages.ts'
import { stateChunks } from '../../shared/wire/state_chunks.ts'
import type { Access } from '../port/access.ts'
import { callError, failCall } from '../port/call_status.ts'
import { serveControl } from '../port/control_stream.ts'
import { Controls } from '../protocol/controls.ts'
import { BulkCalls } from '../exchange/bulk_calls.ts'
import { takeChunks } from '../exchange/chunk_streams.ts'
import type { ReducerControl } from '../exchange/remote/reducer_control.ts'
import { WorkerControl } from './control.ts'
import { GuardedServer } from '../port/guarded_server.ts'
import type { MemberHandler } from '../contract/member.ts'
import type { ReducerHub } from '../exchange/remote/hub.ts'
import { Bans } from './bans.ts'
import { JoinPace } from './join_pace.ts'
import { Sessions } from './sessions.ts'
import type { MachineMemory } from './machine_memory.ts'
import { Watchers } from './watchers.ts'
import type { WorkerSession } from './worker_session.ts'

export interface ServerParts {
  handler: MemberHandler
  runId: string
  /** JSON of the run's description. */
  run: string
  /** What workers are told of the data set. */
  dataset: ManifestSource
  /** Reducers that hold the weights and reduce gradients; undefined if the coordinator does. */
  reducers?: ReducerHub
  source: ImageSource
  /** Parameters that keep their values; undefined: there are none. */
  frozen?: Float32Array
  /** Called when an image of the run cannot be read here, which no worker can help. */
  onUnreadable: (error: DataError) => void
  /** Returns the state of the run for watchers; undefined as long as there is nothing to see. */
  brief: () => RunBrief | undefined
  access: Access
  /** Identities that were put out of the run; undefined: nobody is. */
  bans?: Bans | undefined
  /** Memory that is shared with workers on this machine. */
  memory?: MachineMemory
  /** A worker that is silent for longer than this before it is ready is disconnected. */
  silenceLimitMs: number
  /** Milliseconds on a monotonic clock. */
  now: () => number
  /** Times in milliseconds for which a connection may belong to no session, and within which hello must come; undefined means the defaults. */
  patience?: { namelessMs: number; helloMs: number }
}

const NO_REDUCERS = 'this run has no reducers of its own'
/** Default times. A stream without hello ends before its connection does, so that the peer still gets the reason. */
const PATIENCE = { namelessMs: 10_000, helloMs: 8000 }
/** Time between two checks for members that have been silent for too long. */
const TICK_MS = 100
/** Connections that a worker opens: control, bulk data from here, bulk data to here. */
const CONNECTIONS_OF_WORKER = 3

/** The coordinator's side of proto/herd.proto: checks incoming messages, keeps sessions, and passes events on. */
export class CoordinatorServer {
  readonly #parts: ServerParts
  readonly #server: GuardedServer
  readonly #sessions: Sessions
  readonly #workers: Controls<CoordinatorMessage>
  readonly #bulk: BulkCalls<WorkerSession>
  readonly #watchers: Watchers
  #ticker: NodeJS.Timeout | undefined
  #closing = false

  private constructor(parts: ServerParts) {
    this.#parts = parts
    const { namelessMs } = parts.patience ?? PATIENCE
    const { access, now, bans = new Bans() } = parts
    this.#workers = new Controls(now)
    this.#bulk = new BulkCalls((id) => this.#sessions.get(id))
    this.#server = new GuardedServer(access, { connectionsOfWorker: CONNECTIONS_OF_WORKER, namelessMs }, this.#implementation())
    const { connections } = this.#server
    this.#sessions = new Sessions({
      maximum: access.maxWorkers, connections, newId: newSecret, now, pace: new JoinPace(now),
      exclusionOf: (who) => access.deny?.refusalOf(who.identity) ?? bans.exclusionOf(who),
    })
    this.#watchers = new Watchers(parts.brief, connections)
  }

  /**
   * Begins to listen.
   * @param address HOST:PORT; port 0 takes a free one
   * @throws RunError if the address cannot be bound
   */
  static async listen(address: string, parts: ServerParts): Promise<{ server: CoordinatorServer; port: number }> {
    const server = new CoordinatorServer(parts)
    const port = await server.#server.listen(address)
    server.#ticker = setInterval(() => server.#tick(), TICK_MS)
    return { server, port }
  }

  /** Ends every session with a last message, and stops listening. */
  async close(message: CoordinatorMessage): Promise<void> {
    this.#closing = true
    clearInterval(this.#ticker)
    this.#server.stopListening()
    this.#workers.end(message)
    this.#watchers.close()
    if (message.message === 'stop') this.#parts.reducers?.close(message.stop)
    await this.#server.close()
    this.#parts.memory?.close()
  }

  #tick(): void {
    this.#workers.tick()
    // Workers are told why first; then whatever else of such an identity is open ends.
    this.#sessions.putOut()
    this.#server.endDenied()
    this.#parts.reducers?.watch()
  }

  #implementation(): UntypedServiceImplementation {
    return {
      control: this.#control,
      receiveWeights: this.#bulk.receiveWeights,
      sendGradients: this.#bulk.sendGradients,
      fetchManifest: this.#fetchManifest,
      fetchImages: this.#fetchImages,
      fetchFrozen: this.#fetchFrozen,
      watch: this.#watch,
      reduce: this.#reduce,
      fetchState: this.#fetchState,
      sendState: this.#sendState,
    }
  }

  readonly #control: handleBidiStreamingCall<unknown, CoordinatorMessage> = (call) => {
    if (this.#closing) return void call.end()
    const { handler, runId, run, silenceLimitMs, patience, reducers, memory } = this.#parts
    this.#workers.add(serveControl(call, workerMessageSchema, 'a message of a worker', (outlet) => new WorkerControl(outlet, {
      handler, sessions: this.#sessions, runId, run, proven: this.#server.callers.provenBy(call, call.metadata), helloMs: (patience ?? PATIENCE).helloMs, silenceMs: silenceLimitMs,
      ...(reducers === undefined ? {} : { reducers }), ...(memory === undefined ? {} : { memory }),
    })))
  }

  readonly #fetchManifest: handleServerStreamingCall<unknown, ManifestPart> = (call) => {
    this.#bulk.answer(call, manifestRequestSchema, async ({ streams }, { ownCopy }) => {
      const { dataset } = this.#parts
      // Gradients will come on the connection that fetches the manifest.
      streams.introduce(call.getPeer())
      for (const part of ownCopy ? copyParts(dataset) : manifestParts(dataset)) {
        if (call.destroyed) return
        if (!call.write(part)) await drained(call)
      }
      call.end()
    })
  }

  readonly #fetchImages: handleServerStreamingCall<unknown, { sample: number; data: Buffer }> = (call) => {
    this.#bulk.answer(call, imagesRequestSchema, async ({ images, streams }, { samples }) => {
      const { dataset, source } = this.#parts
      const absent = samples.find((sample) => sample >= dataset.samples.length)
      if (absent !== undefined) throw new ProtocolError(`sample ${absent} is not in the data set`)
      await images.take(async () => {
        for (const sample of samples) {
          if (call.destroyed) return
          const [data] = await source.read([sample]).catch((error: unknown) => this.#cannotRead(error))
          streams.sent += data.length
          if (!call.write({ sample, data })) await drained(call)
        }
        call.end()
      })
    })
  }

  readonly #fetchFrozen: handleServerStreamingCall<unknown, StateChunk> = (call) => {
    this.#bulk.answer(call, sessionRequestSchema, async ({ streams }) => {
      const { frozen } = this.#parts
      if (frozen === undefined) throw new ProtocolError('this run has no frozen parameters')
      for (const chunk of stateChunks({ parameters: frozen, moments: [] }, { begin: 0, end: frozen.length }, 0, { session: '', id: 0 })) {
        if (call.destroyed) return
        streams.sent += chunk.data.length
        if (!call.write(chunk)) await drained(call)
      }
      call.end()
    })
  }

  #cannotRead(error: unknown): never {
    if (error instanceof DataError) this.#parts.onUnreadable(error)
    throw error
  }

  readonly #watch: handleServerStreamingCall<unknown, { json: string }> = (call) => {
    call.on('error', () => undefined)
    try {
      this.#watchers.add(call, checked(watchRequestSchema, call.request, 'a request to watch').intervalMs)
    } catch (error) {
      failCall(call, status.INVALID_ARGUMENT, messageOf(error))
    }
  }

  readonly #reduce: handleBidiStreamingCall<unknown, ReductionMessage> = (call) => {
    const { reducers } = this.#parts
    if (reducers !== undefined) return void serveControl(call, reducerMessageSchema, 'a message of a reducer', (outlet) => reducers.accept(outlet, this.#server.connections))
    call.on('error', () => undefined)
    failCall(call, status.FAILED_PRECONDITION, NO_REDUCERS)
  }

  readonly #fetchState: handleServerStreamingCall<unknown, StateChunk> = (call) => {
    call.on('error', () => undefined)
    const answer = async (): Promise<void> => {
      const { session } = checked(sessionRequestSchema, call.request, 'a request of a reducer')
      for (const chunk of this.#hub.startOf(session, call.getPeer())) {
        if (call.destroyed) return
        if (!call.write(chunk)) await drained(call)
      }
      call.end()
    }
    answer().catch((error: unknown) => failCall(call, status.FAILED_PRECONDITION, messageOf(error)))
  }

  readonly #sendState: handleClientStreamingCall<unknown, object> = (call, callback) => {
    let reducer: ReducerControl | undefined
    const take = (chunk: StateChunk): void => {
      if (reducer === undefined) {
        reducer = this.#hub.reducerOf(chunk.session)
        reducer.claim(call.getPeer())
        this.#server.connections.widen(call.getPeer())
      }
      this.#hub.receiveState(reducer, chunk)
    }
    takeChunks(call, stateChunkSchema, 'a chunk of a state', take, (breach) => {
      if (breach === undefined) return callback(null, {})
      callback(callError(status.FAILED_PRECONDITION, breach), null)
      reducer?.cut(breach)
    })
  }

  /** The run's reducers. @throws ProtocolError if this process reduces by itself */
  get #hub(): ReducerHub {
    const { reducers } = this.#parts
    if (reducers === undefined) throw new ProtocolError(NO_REDUCERS)
    return reducers
  }
}
