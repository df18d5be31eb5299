import { Server, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { parseAddress } from '../../shared/command/options.ts'
import { herdService, serverOptions } from '../../shared/wire/service.ts'
import type { Access } from './access.ts'
import { Callers } from './callers.ts'
import { Connections } from './connections.ts'
import { Gate, serverCredentials } from './gate.ts'
import { withLimitedHttp2 } from './http2_server.ts'
import { listenOn, type ListeningPort } from './listen.ts'

/** Number of connections without a session that are allowed besides those of all workers, which may come at the same time. */
const NAMELESS_CONNECTIONS = 64
/** Time for open calls to end. Workers that answer to the end of the run do so at once; one that hangs never does. */
const SHUTDOWN_MS = 3000

/** A port for the calls of proto/herd.proto. Token, certificates and limits on connections are checked before any call is answered. */
export class GuardedServer {
  readonly connections: Connections
  readonly callers: Callers
  readonly #access: Access
  readonly #server: Server
  readonly #gate: Gate
  #port: ListeningPort | undefined

  /**
   * @param limits.connectionsOfWorker number of connections that a worker opens
   * @param limits.namelessMs longest time for which a connection may belong to no session
   * @param implementation handlers of calls; other calls are answered by UNIMPLEMENTED
   */
  constructor(access: Access, { connectionsOfWorker, namelessMs }: { connectionsOfWorker: number; namelessMs: number }, implementation: UntypedServiceImplementation) {
    const { maxWorkers } = access
    this.#access = access
    this.callers = new Callers(access)
    this.#gate = new Gate(access, this.callers)
    this.connections = new Connections({ nameless: NAMELESS_CONNECTIONS + connectionsOfWorker * maxWorkers, namelessMs })
    this.#server = new Server({ ...serverOptions, interceptors: [this.#gate.interceptor] })
    this.#server.addService(herdService().service as ServiceDefinition, implementation)
  }

  /**
   * Begins to listen.
   * @param address HOST:PORT; port 0 takes a free one
   * @returns the port
   * @throws RunError if the address cannot be bound
   */
  async listen(address: string): Promise<number> {
    const { host, port } = parseAddress(address) ?? { host: address, port: 0 }
    const { connections } = this
    const credentials = serverCredentials(this.#access.tls)
    const injector = withLimitedHttp2((session) => connections.attach(session), () => this.#server.createConnectionInjector(credentials))
    this.#port = await listenOn(host, port, (socket) => {
      connections.add(socket)
      injector.injectConnection(socket)
    })
    return this.#port.port
  }

  /** Ends the open calls of identities that may no longer take part. To be called now and then. */
  endDenied(): void {
    this.#gate.endDenied()
  }

  /** Stops taking connections, and closes those that belong to no session. */
  stopListening(): void {
    this.#port?.close()
    this.connections.closeNameless()
  }

  /** Stops taking connections, waits a few seconds for open calls to end, and closes all connections. */
  async close(): Promise<void> {
    this.#port?.close()
    const graceful = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
    const patience = setTimeout(() => this.connections.closeAll(), SHUTDOWN_MS)
    await graceful
    clearTimeout(patience)
    this.connections.closeAll()
  }
}
