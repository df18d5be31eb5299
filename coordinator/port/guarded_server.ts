import { Server, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { parseAddress } from '../../shared/command/options.ts'
import { herdService, serverOptions } from '../../shared/wire/service.ts'
import type { Access } from './access.ts'
import { Connections } from './connections.ts'
import { serverCredentials, tokenGate } from './gate.ts'
import { withLimitedHttp2 } from './http2_server.ts'
import { listenOn, type ListeningPort } from './listen.ts'

/** Besides those of each worker, which may all come at once. */
const NAMELESS_CONNECTIONS = 64
/** A worker that hangs does not answer to the end of the run; those that answer do so at once. */
const SHUTDOWN_MS = 3000

/** A port with the calls of proto/herd.proto: token and certificates are asked for, and connections are watched over, before any call is answered. */
export class GuardedServer {
  readonly connections: Connections
  readonly #access: Access
  readonly #server: Server
  #port: ListeningPort | undefined

  /**
   * @param limits.connectionsOfWorker how many a worker has
   * @param limits.namelessMs how long a connection may belong to nobody
   * @param implementation of calls; the others are answered by UNIMPLEMENTED
   */
  constructor(access: Access, { connectionsOfWorker, namelessMs }: { connectionsOfWorker: number; namelessMs: number }, implementation: UntypedServiceImplementation) {
    const { token, maxWorkers } = access
    this.#access = access
    this.connections = new Connections({ nameless: NAMELESS_CONNECTIONS + connectionsOfWorker * maxWorkers, namelessMs })
    this.#server = new Server({ ...serverOptions, interceptors: token === undefined ? [] : [tokenGate(token)] })
    this.#server.addService(herdService().service as ServiceDefinition, implementation)
  }

  /**
   * @returns the port
   * @throws RunError when the address cannot be bound.
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

  /** Takes no more connections, and drops those of nobody, at once. */
  stopListening(): void {
    this.#port?.close()
    this.connections.closeNameless()
  }

  /** Takes no more connections, and waits for the calls that go on to end, though not for long. */
  async close(): Promise<void> {
    this.#port?.close()
    const graceful = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
    const patience = setTimeout(() => this.connections.closeAll(), SHUTDOWN_MS)
    await graceful
    clearTimeout(patience)
    this.connections.closeAll()
  }
}
