import { randomBytes } from 'node:crypto'
import { Server, status, type handleBidiStreamingCall, type handleClientStreamingCall, type handleServerStreamingCall, type UntypedServiceImplementation } from '@grpc/grpc-js'
import type { z } from 'zod'
import type { ImageSource } from '../shared/data/image_source.ts'
import { messageOf, ProtocolError, RunError } from '../shared/errors.ts'
import { parseAddress } from '../shared/command/options.ts'
import { drained } from '../shared/wire/drained.ts'
import { cutConnections, enlargeHttp2ServerWindows } from '../shared/wire/http2_window.ts'
import {
  checked, checkedJson, engineInfoSchema, gradientChunkSchema, imagesRequestSchema, PROTOCOL_VERSION, sessionRequestSchema, workerMessageSchema,
  type CoordinatorMessage, type WeightsChunk,
} from '../shared/wire/messages.ts'
import { channelOptions, herdService } from '../shared/wire/service.ts'
import type { Access } from './access.ts'
import { serverCredentials, tokenGate } from './gate.ts'
import type { MemberHandler } from './member.ts'
import { WorkerSession } from './worker_session.ts'

export interface ServerParts {
  handler: MemberHandler
  runId: string
  /** JSON of the run's description. */
  run: string
  /** Gzipped JSON of the data set's manifest. */
  manifest: Buffer
  source: ImageSource
  sampleCount: number
  access: Access
}

/** A worker that hangs does not answer to the end of the run; those that answer do so at once. */
const CLOSE_PATIENCE_MS = 3000
const MANIFEST_CHUNK_BYTES = 1024 * 1024

/** The coordinator's side of proto/herd.proto: checks what comes in, keeps sessions, and hands events on. */
export class CoordinatorServer {
  readonly #parts: ServerParts
  readonly #server: Server
  readonly #sessions = new Map<string, WorkerSession>()
  #port = 0
  #closing = false

  private constructor(parts: ServerParts) {
    this.#parts = parts
    enlargeHttp2ServerWindows()
    const { token } = parts.access
    this.#server = new Server({ ...channelOptions, interceptors: token === undefined ? [] : [tokenGate(token)] })
    this.#server.addService(herdService().service, this.#implementation())
  }

  /**
   * Listens.
   * @throws RunError when the address cannot be bound.
   */
  static async listen(address: string, parts: ServerParts): Promise<{ server: CoordinatorServer; port: number }> {
    const server = new CoordinatorServer(parts)
    const port = await new Promise<number>((resolve, reject) => {
      server.#server.bindAsync(address, serverCredentials(parts.access.tls), (error, bound) => {
        if (error === null) resolve(bound)
        else reject(new RunError(`--listen ${address}: ${bindFailure(error, address)}`))
      })
    })
    server.#port = port
    return { server, port }
  }

  /** Ends every session with a last word, and stops listening. */
  async close(message: CoordinatorMessage): Promise<void> {
    this.#closing = true
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    for (const session of sessions) session.end(message)
    const graceful = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
    const patience = setTimeout(() => {
      this.#server.forceShutdown()
      cutConnections(this.#port)
    }, CLOSE_PATIENCE_MS)
    await graceful
    clearTimeout(patience)
  }

  #implementation(): UntypedServiceImplementation {
    return {
      control: this.#control,
      receiveWeights: this.#receiveWeights,
      sendGradients: this.#sendGradients,
      fetchManifest: this.#fetchManifest,
      fetchImages: this.#fetchImages,
    }
  }

  readonly #control: handleBidiStreamingCall<unknown, CoordinatorMessage> = (call) => {
    let session: WorkerSession | undefined
    let over = false
    const finish = (reason: string): void => {
      if (over) return
      over = true
      if (session === undefined) return
      this.#sessions.delete(session.id)
      // Who leaves because the run is over is not lost.
      if (!this.#closing) this.#parts.handler.onLost(session, reason)
    }
    const cut = (reason: string): void => {
      if (over) return
      finish(reason)
      fail(call, status.ABORTED, reason)
    }
    call.on('data', (raw: unknown) => {
      if (over) return
      // Nobody joins any more; a session that is not yet a member may not have heard of the end.
      if (this.#closing) return void call.end()
      try {
        const message = checked(workerMessageSchema, raw, 'a message of a worker')
        if (message.message === 'hello') {
          if (session !== undefined) throw new ProtocolError('hello came twice')
          if (message.hello.protocolVersion !== PROTOCOL_VERSION) {
            call.write({ message: 'refused', refused: { reason: `this coordinator speaks protocol version ${PROTOCOL_VERSION}, the worker ${message.hello.protocolVersion}: install the same version of Herd on both.` } })
            call.end()
            return
          }
          const { name, instance } = message.hello
          // Its old connection can be half open, after a partition: nobody is at its other end.
          for (const old of [...this.#sessions.values()]) if (old.instance === instance) old.evict('it has joined again')
          const { maxWorkers } = this.#parts.access
          // No refusal, since others may leave: the worker tries again.
          if (this.#sessions.size >= maxWorkers) return fail(call, status.RESOURCE_EXHAUSTED, `${maxWorkers} workers are in, and --max-workers lets no more in`)
          session = new WorkerSession({ id: randomBytes(16).toString('hex'), name: this.#uniqueName(name), instance, control: call, evict: cut })
          this.#sessions.set(session.id, session)
          session.send({ message: 'welcome', welcome: { session: session.id, runId: this.#parts.runId, run: this.#parts.run } })
          return
        }
        if (session === undefined) throw new ProtocolError(`${message.message} came before hello`)
        switch (message.message) {
          case 'ready': {
            if (session.facts !== undefined) throw new ProtocolError('ready came twice')
            if (!session.canReceiveWeights) throw new ProtocolError('ready came before ReceiveWeights was opened')
            const { engine, fingerprint, datasetDigest } = message.ready
            session.facts = { engine: checkedJson(engineInfoSchema, engine, 'the engine of a worker'), fingerprint, datasetDigest }
            const refusal = this.#parts.handler.onReady(session)
            if (refusal !== undefined) {
              this.#sessions.delete(session.id)
              over = true
              session.end({ message: 'refused', refused: { reason: refusal } })
            }
            break
          }
          case 'heartbeat':
            session.residentBytes = message.heartbeat.residentBytes
            this.#parts.handler.onHeard(session)
            break
          case 'computed':
            this.#parts.handler.onComputed(session, message.computed)
            break
          case 'abandoned':
            this.#parts.handler.onAbandoned(session, message.abandoned.round)
            break
          case 'draining':
            this.#parts.handler.onDraining(session)
            break
          case 'evaluation':
            this.#parts.handler.onEvaluation(session, message.evaluation)
            break
          case 'leaving':
            call.end()
            finish(message.leaving.reason)
            break
        }
      } catch (error) {
        cut(messageOf(error))
      }
    })
    call.on('cancelled', () => finish('the connection was lost'))
    call.on('error', () => finish('the connection was lost'))
    call.on('end', () => {
      call.end()
      finish('the worker closed the connection')
    })
  }

  readonly #receiveWeights: handleServerStreamingCall<unknown, WeightsChunk> = (call) => {
    const session = this.#sessionOf(sessionRequestSchema, call.request, call)
    // A cut connection shows here too; the control stream tells of the loss.
    call.on('error', () => undefined)
    session?.attachWeights(call)
  }

  readonly #sendGradients: handleClientStreamingCall<unknown, object> = (call, callback) => {
    let answered = false
    const answer = (error: CallError | null): void => {
      if (answered) return
      answered = true
      callback(error, error === null ? {} : null)
    }
    call.on('data', (raw: unknown) => {
      if (answered) return
      try {
        const chunk = checked(gradientChunkSchema, raw, 'a gradient chunk')
        const session = this.#sessions.get(chunk.session)
        if (session?.facts === undefined) throw new ProtocolError('a gradient chunk of no member')
        session.bytesReceived += chunk.data.length
        try {
          this.#parts.handler.onGradient(session, chunk)
        } catch (error) {
          session.evict(messageOf(error))
          throw error
        }
      } catch (error) {
        answer(callError(status.INVALID_ARGUMENT, messageOf(error)))
      }
    })
    call.on('error', () => undefined)
    call.on('end', () => answer(null))
  }

  readonly #fetchManifest: handleServerStreamingCall<unknown, { data: Buffer }> = (call) => {
    if (this.#sessionOf(sessionRequestSchema, call.request, call) === undefined) return
    const { manifest } = this.#parts
    for (let at = 0; at < manifest.length; at += MANIFEST_CHUNK_BYTES) call.write({ data: manifest.subarray(at, at + MANIFEST_CHUNK_BYTES) })
    call.end()
  }

  readonly #fetchImages: handleServerStreamingCall<unknown, { sample: number; data: Buffer }> = (call) => {
    const session = this.#sessionOf(imagesRequestSchema, call.request, call)
    if (session === undefined) return
    const { samples } = imagesRequestSchema.parse(call.request)
    const send = async (): Promise<void> => {
      for (const sample of samples) {
        if (sample >= this.#parts.sampleCount) throw new ProtocolError(`sample ${sample} is not in the data set`)
        const [data] = await this.#parts.source.read([sample])
        session.bytesSent += data.length
        if (!call.write({ sample, data })) await drained(call)
        if (call.destroyed) return
      }
      call.end()
    }
    send().catch((error: unknown) => fail(call, status.FAILED_PRECONDITION, messageOf(error)))
  }

  /** The session that a bulk call names; a call of no session is ended. */
  #sessionOf<T extends { session: string }>(schema: z.ZodType<T>, request: unknown, call: NodeJS.EventEmitter): WorkerSession | undefined {
    const parsed = schema.safeParse(request)
    const session = parsed.success ? this.#sessions.get(parsed.data.session) : undefined
    if (session === undefined) fail(call, status.FAILED_PRECONDITION, 'no such session')
    return session
  }

  #uniqueName(wanted: string): string {
    const taken = new Set([...this.#sessions.values()].map((session) => session.name))
    let name = wanted
    for (let number = 2; taken.has(name); number++) name = `${wanted} (${number})`
    return name
  }
}

type CallError = Error & { code: status; details: string }

function callError(code: status, reason: string): CallError {
  return Object.assign(new Error(reason), { code, details: reason })
}

/** Ends a call with a status. grpc-js takes it from an 'error' event; destroying the stream would send nothing. */
function fail(call: NodeJS.EventEmitter, code: status, reason: string): void {
  call.emit('error', callError(code, reason))
}

function bindFailure(error: Error, address: string): string {
  if (error.message.includes('EADDRINUSE')) return `the port ${parseAddress(address)?.port ?? ''} is in use; choose another, or 0 for a free one.`
  return `cannot listen there: ${error.message}`
}
