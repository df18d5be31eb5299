import { status, type handleClientStreamingCall, type handleServerStreamingCall, type ServerWritableStream } from '@grpc/grpc-js'
import { messageOf, ProtocolError } from '../shared/kit/errors.ts'
import { checked, gradientChunkSchema, sessionRequestSchema, type GradientChunk, type WeightsChunk } from '../shared/wire/messages.ts'
import type { Access } from '../coordinator/port/access.ts'
import { callError, failCall } from '../coordinator/port/call_status.ts'
import type { Connections } from '../coordinator/port/connections.ts'
import { GuardedServer } from '../coordinator/port/guarded_server.ts'
import { takeChunks } from '../coordinator/exchange/chunk_streams.ts'
import type { ReducerSession } from './session.ts'
import type { WorkerStreams } from './worker_streams.ts'

/** Weights from here, gradients to here. */
const CONNECTIONS_OF_WORKER = 2
const NAMELESS_MS = 10_000

/** A reducer's port for workers: the calls of proto/herd.proto that carry weights and gradients. */
export class ReducerServer {
  readonly #server: GuardedServer
  /** What is reduced now. */
  session: ReducerSession | undefined

  private constructor(access: Access) {
    this.#server = new GuardedServer(access, { connectionsOfWorker: CONNECTIONS_OF_WORKER, namelessMs: NAMELESS_MS }, {
      receiveWeights: this.#receiveWeights,
      sendGradients: this.#sendGradients,
      fetchManifest: this.#fetchManifest,
    })
  }

  /**
   * Listens.
   * @throws RunError when the address cannot be bound.
   */
  static async listen(address: string, access: Access): Promise<{ server: ReducerServer; port: number }> {
    const server = new ReducerServer(access)
    return { server, port: await server.#server.listen(address) }
  }

  get connections(): Connections {
    return this.#server.connections
  }

  async close(): Promise<void> {
    await this.#server.close()
  }

  readonly #receiveWeights: handleServerStreamingCall<unknown, WeightsChunk> = (call) => {
    this.#answer(call, (session, worker) => session.attachWeights(worker, call))
  }

  /** There is no manifest here: the call tells on which connection gradients will come. */
  readonly #fetchManifest: handleServerStreamingCall<unknown, object> = (call) => {
    this.#answer(call, (_, worker) => {
      worker.introduce(call.getPeer())
      call.end()
    })
  }

  readonly #sendGradients: handleClientStreamingCall<unknown, object> = (call, callback) => {
    let id: string | undefined
    const take = (chunk: GradientChunk): void => {
      if (this.session === undefined || chunk.session !== (id ?? chunk.session)) throw new ProtocolError('a gradient chunk of no member')
      this.session.worker(chunk.session)
      id = chunk.session
      this.session.receive(call, chunk)
    }
    takeChunks(call, gradientChunkSchema, 'a gradient chunk', take, (breach) => {
      if (breach === undefined) return callback(null, {})
      callback(callError(status.INVALID_ARGUMENT, breach), null)
      this.#evict(id, breach)
    })
  }

  #answer(call: ServerWritableStream<unknown, unknown>, action: (session: ReducerSession, worker: WorkerStreams) => void): void {
    // A cut connection shows here too; the session tells of the loss.
    call.on('error', () => undefined)
    let id: string | undefined
    try {
      const request = checked(sessionRequestSchema, call.request, 'a request of a worker')
      if (this.session === undefined) throw new ProtocolError('no such session')
      const worker = this.session.worker(request.session)
      id = worker.id
      action(this.session, worker)
    } catch (error) {
      failCall(call, id === undefined ? status.NOT_FOUND : status.FAILED_PRECONDITION, messageOf(error))
      this.#evict(id, messageOf(error))
    }
  }

  /** What breaks the protocol ends the whole session. */
  #evict(id: string | undefined, reason: string): void {
    if (id !== undefined) this.session?.evict(id, reason)
  }
}
