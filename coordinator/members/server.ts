import { status, type handleBidiStreamingCall, type handleClientStreamingCall, type handleServerStreamingCall, type ServerWritableStream, type UntypedServiceImplementation } from '@grpc/grpc-js'
import type { z } from 'zod'
import type { ImageSource } from '../../shared/data/sources/image_source.ts'
import { messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import type { RunBrief } from '../../live/view.ts'
import { drained } from '../../shared/kit/drained.ts'
import { checked, gradientChunkSchema, imagesRequestSchema, payloadBytes, sessionRequestSchema, watchRequestSchema, type CoordinatorMessage, type GradientChunk, type ReductionMessage, type StateChunk, type WeightsChunk } from '../../shared/wire/messages.ts'
import type { Access } from '../port/access.ts'
import { callError, failCall } from '../port/call_status.ts'
import { ControlCall } from './control_call.ts'
import { GuardedServer } from '../port/guarded_server.ts'
import type { MemberHandler } from '../contract/member.ts'
import type { ReducerHub } from '../exchange/remote/hub.ts'
import { Sessions } from './sessions.ts'
import type { MachineMemory } from './machine_memory.ts'
import { takeChunks } from '../exchange/chunk_streams.ts'
import { Watchers } from './watchers.ts'
import type { WorkerSession } from './worker_session.ts'

export interface ServerParts {
  handler: MemberHandler
  runId: string
  /** JSON of the run's description. */
  run: string
  /** Gzipped JSON of the data set's manifest. */
  manifest: Buffer
  /** Where gradients are reduced and weights are, if not here. */
  reducers?: ReducerHub
  source: ImageSource
  sampleCount: number
  /** How the run is, for whoever watches; undefined as long as there is nothing to see. */
  brief: () => RunBrief | undefined
  access: Access
  /** For workers on this machine. */
  memory?: MachineMemory
  /** A worker that is silent for longer than this before it is ready is cut off. */
  silenceLimitMs: number
  /** How long a connection may not say which worker it is of, and a control stream take until hello, where it is not the default. */
  patience?: { namelessMs: number; helloMs: number }
}

const NO_REDUCERS = 'this run has no reducers of its own'
const MANIFEST_CHUNK_BYTES = 1024 * 1024
/** A stream ends before its connection, so that the reason is heard. */
const PATIENCE = { namelessMs: 10_000, helloMs: 8000 }
/** Control, bulk from here, bulk to here. */
const CONNECTIONS_OF_WORKER = 3

/** The coordinator's side of proto/herd.proto: checks what comes in, keeps sessions, and hands events on. */
export class CoordinatorServer {
  readonly #parts: ServerParts
  readonly #server: GuardedServer
  readonly #sessions: Sessions
  readonly #watchers: Watchers

  private constructor(parts: ServerParts) {
    this.#parts = parts
    const { namelessMs } = parts.patience ?? PATIENCE
    this.#server = new GuardedServer(parts.access, { connectionsOfWorker: CONNECTIONS_OF_WORKER, namelessMs }, this.#implementation())
    const { connections } = this.#server
    this.#sessions = new Sessions(parts.access.maxWorkers, connections)
    this.#watchers = new Watchers(parts.brief, connections)
  }

  /**
   * Listens.
   * @throws RunError when the address cannot be bound.
   */
  static async listen(address: string, parts: ServerParts): Promise<{ server: CoordinatorServer; port: number }> {
    const server = new CoordinatorServer(parts)
    return { server, port: await server.#server.listen(address) }
  }

  /** Ends every session with a last word, and stops listening. */
  async close(message: CoordinatorMessage): Promise<void> {
    this.#server.stopListening()
    for (const session of this.#sessions.close()) session.end(message)
    this.#watchers.close()
    if (message.message === 'stop') this.#parts.reducers?.close(message.stop)
    await this.#server.close()
    this.#parts.memory?.close()
  }

  #implementation(): UntypedServiceImplementation {
    return {
      control: this.#control,
      receiveWeights: this.#receiveWeights,
      sendGradients: this.#sendGradients,
      fetchManifest: this.#fetchManifest,
      fetchImages: this.#fetchImages,
      watch: this.#watch,
      reduce: this.#reduce,
      fetchState: this.#fetchState,
      sendState: this.#sendState,
    }
  }

  readonly #control: handleBidiStreamingCall<unknown, CoordinatorMessage> = (call) => {
    const { handler, runId, run, access, silenceLimitMs, patience, reducers, memory } = this.#parts
    new ControlCall(call, {
      handler, sessions: this.#sessions, maxWorkers: access.maxWorkers, runId, run, helloMs: (patience ?? PATIENCE).helloMs, silenceMs: silenceLimitMs,
      ...(reducers === undefined ? {} : { reducers }), ...(memory === undefined ? {} : { memory }),
    })
  }

  readonly #receiveWeights: handleServerStreamingCall<unknown, WeightsChunk> = (call) => {
    const { session, request } = this.#requestOf(call, sessionRequestSchema) ?? {}
    if (session !== undefined && request !== undefined) this.#guard(call, session, () => this.#sessions.attachWeights(session, call, request.sharesMemory))
  }

  readonly #sendGradients: handleClientStreamingCall<unknown, object> = (call, callback) => {
    let session: WorkerSession | undefined
    const take = (chunk: GradientChunk): void => {
      session ??= this.#sessions.get(chunk.session)
      if (session?.id !== chunk.session || session.facts === undefined) throw new ProtocolError('a gradient chunk of no member')
      this.#sessions.attachGradients(session, call)
      session.bytesReceived += payloadBytes(chunk)
      this.#parts.handler.onGradient(session, chunk)
    }
    takeChunks(call, gradientChunkSchema, 'a gradient chunk', take, (breach) => {
      if (breach === undefined) return callback(null, {})
      callback(callError(status.INVALID_ARGUMENT, breach), null)
      session?.evict(breach)
    })
  }

  readonly #fetchManifest: handleServerStreamingCall<unknown, { data: Buffer }> = (call) => {
    const { session } = this.#requestOf(call, sessionRequestSchema) ?? {}
    if (session === undefined) return
    const { manifest } = this.#parts
    this.#guard(call, session, async () => {
      this.#sessions.attachManifest(session, call.getPeer())
      for (let at = 0; at < manifest.length && !call.destroyed; at += MANIFEST_CHUNK_BYTES) {
        if (!call.write({ data: manifest.subarray(at, at + MANIFEST_CHUNK_BYTES) })) await drained(call)
      }
      call.end()
    })
  }

  readonly #fetchImages: handleServerStreamingCall<unknown, { sample: number; data: Buffer }> = (call) => {
    const { session, request } = this.#requestOf(call, imagesRequestSchema) ?? {}
    if (session === undefined || request === undefined) return
    this.#guard(call, session, async () => {
      const { sampleCount, source } = this.#parts
      const absent = request.samples.find((sample) => sample >= sampleCount)
      if (absent !== undefined) throw new ProtocolError(`sample ${absent} is not in the data set`)
      await session.inTurn(async () => {
        for (const sample of request.samples) {
          if (call.destroyed) return
          const [data] = await source.read([sample])
          session.bytesSent += data.length
          if (!call.write({ sample, data })) await drained(call)
        }
        call.end()
      })
    })
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
    if (reducers !== undefined) return reducers.accept(call, this.#server.connections)
    call.on('error', () => undefined)
    failCall(call, status.FAILED_PRECONDITION, NO_REDUCERS)
  }

  readonly #fetchState: handleServerStreamingCall<unknown, StateChunk> = (call) => {
    call.on('error', () => undefined)
    const answer = async (): Promise<void> => {
      const { session } = checked(sessionRequestSchema, call.request, 'a request of a reducer')
      if (this.#parts.reducers === undefined) throw new ProtocolError(NO_REDUCERS)
      await this.#parts.reducers.sendStart(session, call)
    }
    answer().catch((error: unknown) => failCall(call, status.FAILED_PRECONDITION, messageOf(error)))
  }

  readonly #sendState: handleClientStreamingCall<unknown, object> = (call, callback) => {
    const { reducers } = this.#parts
    const done = (error: string | undefined): void => callback(error === undefined ? null : callError(status.FAILED_PRECONDITION, error), error === undefined ? {} : null)
    if (reducers === undefined) done(NO_REDUCERS)
    else reducers.receiveState(call, this.#server.connections, done)
  }

  /** The request of a bulk call, and the session that it names; a call of no session is ended. */
  #requestOf<T extends { session: string }>(call: ServerWritableStream<unknown, unknown>, schema: z.ZodType<T>): { session: WorkerSession; request: T } | undefined {
    // A cut connection shows here too; the session tells of the loss.
    call.on('error', () => undefined)
    try {
      const request = checked(schema, call.request, 'a request of a worker')
      const session = this.#sessions.get(request.session)
      if (session !== undefined) return { session, request }
      failCall(call, status.NOT_FOUND, 'no such session')
    } catch (error) {
      failCall(call, status.INVALID_ARGUMENT, messageOf(error))
    }
    return undefined
  }

  /** Answers a call. What fails ends the call; what breaks the protocol ends the whole session. */
  #guard(call: ServerWritableStream<unknown, unknown>, session: WorkerSession, answer: () => void | Promise<void>): void {
    const run = async (): Promise<void> => answer()
    run().catch((error: unknown) => {
      failCall(call, status.FAILED_PRECONDITION, messageOf(error))
      if (error instanceof ProtocolError) session.evict(messageOf(error))
    })
  }
}
