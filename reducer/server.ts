import type { handleServerStreamingCall } from '@grpc/grpc-js'
import { manifestRequestSchema } from '../shared/wire/messages.ts'
import type { Access } from '../coordinator/port/access.ts'
import type { Connections } from '../coordinator/port/connections.ts'
import { GuardedServer } from '../coordinator/port/guarded_server.ts'
import { BulkCalls } from '../coordinator/exchange/bulk_calls.ts'
import type { AdmittedWorker } from './admitted_worker.ts'
import type { ReducerSession } from './session.ts'

/** Connections that a worker opens: weights from here, gradients to here. */
const CONNECTIONS_OF_WORKER = 2
const NAMELESS_MS = 10_000

/** A reducer's port for workers: the calls of proto/herd.proto that carry weights and gradients. */
export class ReducerServer {
  readonly #server: GuardedServer
  readonly #bulk = new BulkCalls<AdmittedWorker>((id) => this.session?.worker(id))
  /** Session of the present run; undefined while there is none. */
  session: ReducerSession | undefined

  private constructor(access: Access) {
    this.#server = new GuardedServer(access, { connectionsOfWorker: CONNECTIONS_OF_WORKER, namelessMs: NAMELESS_MS }, {
      receiveWeights: this.#bulk.receiveWeights,
      sendGradients: this.#bulk.sendGradients,
      fetchManifest: this.#fetchManifest,
    })
  }

  /**
   * Begins to listen.
   * @param address HOST:PORT; port 0 takes a free one
   * @throws RunError if the address cannot be bound
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

  /** Answers without a manifest, which only the coordinator has: the call shows on which connection gradients will come. */
  readonly #fetchManifest: handleServerStreamingCall<unknown, object> = (call) => {
    this.#bulk.answer(call, manifestRequestSchema, ({ streams }) => {
      streams.introduce(call.getPeer())
      call.end()
    })
  }
}
