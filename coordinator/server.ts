import { Server, status, type handleBidiStreamingCall, type handleClientStreamingCall, type handleServerStreamingCall, type ServerWritableStream, type UntypedServiceImplementation } from '@grpc/grpc-js'
import type { z } from 'zod'
import { parseAddress } from '../shared/command/options.ts'
import type { ImageSource } from '../shared/data/image_source.ts'
import { messageOf, ProtocolError } from '../shared/errors.ts'
import type { RunBrief } from '../shared/live/view.ts'
import { drained } from '../shared/wire/drained.ts'
import { checked, gradientChunkSchema, imagesRequestSchema, sessionRequestSchema, watchRequestSchema, type CoordinatorMessage, type WeightsChunk } from '../shared/wire/messages.ts'
import { herdService, serverOptions } from '../shared/wire/service.ts'
import type { Access } from './access.ts'
import { callError, failCall } from './call_status.ts'
import { Connections } from './connections.ts'
import { ControlCall } from './control_call.ts'
import { serverCredentials, tokenGate } from './gate.ts'
import { withLimitedHttp2 } from './http2_server.ts'
import { listenOn, type ListeningPort } from './listen.ts'
import type { MemberHandler } from './member.ts'
import { Sessions } from './sessions.ts'
import { Watchers } from './watchers.ts'
import type { WorkerSession } from './worker_session.ts'

export interface ServerParts {
  handler: MemberHandler
  runId: string
  /** JSON of the run's description. */
  run: string
  /** Gzipped JSON of the data set's manifest. */
  manifest: Buffer
  source: ImageSource
  sampleCount: number
  /** How the run is, for whoever watches; undefined as long as there is nothing to see. */
  brief: () => RunBrief | undefined
  access: Access
  /** A worker that is silent for longer than this before it is ready is cut off. */
  silenceLimitMs: number
  /** How long a connection may not say which worker it is of, and a control stream take until hello, where it is not the default. */
  patience?: { namelessMs: number; helloMs: number }
}

const MANIFEST_CHUNK_BYTES = 1024 * 1024
/** A stream ends before its connection, so that the reason is heard. */
const PATIENCE = { namelessMs: 10_000, helloMs: 8000 }
/** Besides the three of each worker, which may all come at once. */
const NAMELESS_CONNECTIONS = 64
/** A worker that hangs does not answer to the end of the run; those that answer do so at once. */
const SHUTDOWN_MS = 3000

/** The coordinator's side of proto/herd.proto: checks what comes in, keeps sessions, and hands events on. */
export class CoordinatorServer {
  readonly #parts: ServerParts
  readonly #connections: Connections
  readonly #sessions: Sessions
  readonly #watchers: Watchers
  readonly #server: Server
  #port: ListeningPort | undefined

  private constructor(parts: ServerParts) {
    this.#parts = parts
    const { token, maxWorkers } = parts.access
    this.#connections = new Connections({ nameless: NAMELESS_CONNECTIONS + 3 * maxWorkers, namelessMs: (parts.patience ?? PATIENCE).namelessMs })
    this.#sessions = new Sessions(maxWorkers, this.#connections)
    this.#watchers = new Watchers(parts.brief, this.#connections)
    this.#server = new Server({ ...serverOptions, interceptors: token === undefined ? [] : [tokenGate(token)] })
    this.#server.addService(herdService().service, this.#implementation())
  }

  /**
   * Listens.
   * @throws RunError when the address cannot be bound.
   */
  static async listen(address: string, parts: ServerParts): Promise<{ server: CoordinatorServer; port: number }> {
    const server = new CoordinatorServer(parts)
    const { host, port } = parseAddress(address) ?? { host: address, port: 0 }
    return { server, port: await server.#listen(host, port) }
  }

  async #listen(host: string, port: number): Promise<number> {
    const connections = this.#connections
    const credentials = serverCredentials(this.#parts.access.tls)
    const injector = withLimitedHttp2((session) => connections.attach(session), () => this.#server.createConnectionInjector(credentials))
    this.#port = await listenOn(host, port, (socket) => {
      connections.add(socket)
      injector.injectConnection(socket)
    })
    return this.#port.port
  }

  /** Ends every session with a last word, and stops listening. */
  async close(message: CoordinatorMessage): Promise<void> {
    this.#port?.close()
    this.#connections.closeNameless()
    for (const session of this.#sessions.close()) session.end(message)
    this.#watchers.close()
    const graceful = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
    const patience = setTimeout(() => this.#connections.closeAll(), SHUTDOWN_MS)
    await graceful
    clearTimeout(patience)
    this.#connections.closeAll()
  }

  #implementation(): UntypedServiceImplementation {
    return {
      control: this.#control,
      receiveWeights: this.#receiveWeights,
      sendGradients: this.#sendGradients,
      fetchManifest: this.#fetchManifest,
      fetchImages: this.#fetchImages,
      watch: this.#watch,
    }
  }

  readonly #control: handleBidiStreamingCall<unknown, CoordinatorMessage> = (call) => {
    const { handler, runId, run, access, silenceLimitMs, patience } = this.#parts
    new ControlCall(call, { handler, sessions: this.#sessions, maxWorkers: access.maxWorkers, runId, run, helloMs: (patience ?? PATIENCE).helloMs, silenceMs: silenceLimitMs })
  }

  readonly #receiveWeights: handleServerStreamingCall<unknown, WeightsChunk> = (call) => {
    const { session } = this.#requestOf(call, sessionRequestSchema) ?? {}
    if (session !== undefined) this.#guard(call, session, () => this.#sessions.attachWeights(session, call))
  }

  readonly #sendGradients: handleClientStreamingCall<unknown, object> = (call, callback) => {
    let session: WorkerSession | undefined
    let over = false
    const answer = (error: ReturnType<typeof callError> | null): void => {
      if (over) return
      over = true
      callback(error, error === null ? {} : null)
    }
    call.on('data', (raw: unknown) => {
      if (over) return
      try {
        const chunk = checked(gradientChunkSchema, raw, 'a gradient chunk')
        session ??= this.#sessions.get(chunk.session)
        if (session?.id !== chunk.session || session.facts === undefined) throw new ProtocolError('a gradient chunk of no member')
        this.#sessions.attachGradients(session, call)
        session.bytesReceived += chunk.data.length
        this.#parts.handler.onGradient(session, chunk)
      } catch (error) {
        answer(callError(status.INVALID_ARGUMENT, messageOf(error)))
        session?.evict(messageOf(error))
      }
    })
    call.on('error', () => undefined)
    call.on('end', () => answer(null))
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
