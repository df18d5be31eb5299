import type { ManifestPart } from '../../shared/data/manifest.ts'
import { ProtocolError } from '../../shared/kit/errors.ts'
import type { CoordinatorMessage, GradientChunk, StateChunk, Welcome, WorkerMessage } from '../../shared/wire/messages.ts'
import type { ControlOutlet } from '../../coordinator/protocol/control.ts'
import type { WorkerControl } from '../../coordinator/members/control.ts'
import type { ArrivedWeights, Link } from '../../worker/link.ts'
import { Bulk } from './bulk.ts'
import { ControlWay } from './control_way.ts'
import type { Ending } from './stream.ts'
import type { Breakable, BulkEnd, Wires } from './wires.ts'
import type { SimulatedProcess } from './process.ts'

/** The coordinator's end of a worker's connections. */
export interface ServerEnd {
  open: (outlet: ControlOutlet<CoordinatorMessage>) => WorkerControl
  bulk: BulkEnd
}

/** A worker's connections to a coordinator, control and bulk, and to the reducers that the coordinator names: ordered streams, each of which can break by itself. */
export class Connection implements Link, Breakable {
  readonly client: SimulatedProcess
  bytesReceived = 0
  readonly #network: Wires
  readonly #control: ControlWay<WorkerMessage, CoordinatorMessage>
  /** Bulk connection to the coordinator. */
  readonly #bulk: Bulk
  /** Connections to the processes that reduce, in the order of their ranges of the vector; `end` is exclusive, in floats. */
  #reducers: { end: number; bulk: Bulk }[] = []
  #onWeights: (chunk: ArrivedWeights) => void = () => undefined

  constructor(network: Wires, worker: SimulatedProcess, onMessage: (message: CoordinatorMessage) => void) {
    const { meddler } = network
    this.#network = network
    this.client = worker
    this.#control = new ControlWay({
      network, client: worker, onMessage, describeUp, describeDown,
      meddleUp: (message) => meddler.control(`${worker.name} up`, message), meddleDown: (message) => meddler.control(`${worker.name} down`, message),
    })
    this.#bulk = this.#newBulk('')
  }

  // The worker's end.

  get lost(): Promise<string> {
    return this.#control.lost
  }

  get bytesSent(): number {
    return this.#reducers.reduce((sum, { bulk }) => sum + bulk.bytesSent, 0)
  }

  send(message: WorkerMessage): void {
    this.#control.send(message)
  }

  openBulk({ session, reducers }: Welcome, onWeights: (chunk: ArrivedWeights) => void): void {
    this.#onWeights = onWeights
    this.#bulk.open(session)
    this.#reducers = reducers.length === 0
      ? [{ end: Number.POSITIVE_INFINITY, bulk: this.#bulk }]
      : reducers.map(({ address, end }, index) => {
          const bulk = this.#newBulk(` reducer ${index + 1}`)
          this.#network.connectBulk(bulk, address)
          bulk.open(session)
          void bulk.introduce()
          return { end, bulk }
        })
  }

  async sendGradient(chunk: Omit<GradientChunk, 'session'>): Promise<void> {
    if (!this.over) await this.#reducers.find(({ end }) => chunk.offset < end)?.bulk.sendGradient(chunk)
  }

  async *fetchManifest(): AsyncGenerator<ManifestPart> {
    yield* await Promise.race([
      this.#bulk.introduce(),
      this.lost.then((reason): never => {
        throw new ProtocolError(`the coordinator cannot send what was asked for: ${reason}`)
      }),
    ])
  }

  async *fetchFrozen(): AsyncGenerator<StateChunk> {
    throw new ProtocolError('no network of the simulation has frozen parameters.')
  }

  async *fetchImages(): AsyncGenerator<{ sample: number; data: Buffer }> {
    throw new ProtocolError('workers of the simulation have images of their own.')
  }

  async close(): Promise<void> {
    await this.#control.close('the worker closed the connection')
    this.#bulk.close()
    for (const { bulk } of this.#reducers) bulk.close()
  }

  // The coordinator's end.

  accept(process: SimulatedProcess, end: ServerEnd): void {
    const latency = this.#network.latencyOfConnection()
    this.#bulk.accept(process, end.bulk, latency)
    this.#control.accept(process, latency, end.open)
    if (this.#network.isPartitioned(this.client)) this.stall()
  }

  /** Loses the connection, since no process listens at the address. */
  refuse(): void {
    this.client.run(() => this.#control.lose('the coordinator cannot be reached'))
  }

  get server(): SimulatedProcess | undefined {
    return this.#control.server
  }

  get over(): boolean {
    return this.#control.over
  }

  // Faults of the connection.

  stall(): void {
    this.#control.stall()
    this.#bulk.stall()
  }

  flow(): void {
    this.#control.flow()
    this.#bulk.flow()
  }

  break(seen: { client: number | undefined; server: number | undefined }): void {
    this.#control.break()
    this.#bulk.break({ client: undefined, server: undefined })
    if (seen.client !== undefined) this.#control.tellClient(seen.client)
    if (seen.server !== undefined) this.#control.tellServer(seen.server)
  }

  breakOne(control: boolean, seen: { client: number; server: number }): void {
    if (control) this.#control.break()
    else this.#bulk.break({ client: undefined, server: undefined })
    this.#control.tellClient(seen.client)
    this.#control.tellServer(seen.server)
  }

  #newBulk(place: string): Bulk {
    return new Bulk(this.#network, this.client, place, {
      onLost: (reason) => this.#control.lose(reason),
      onWeights: (chunk) => {
        if (!this.over) this.#control.checked(() => this.#onWeights(chunk))
      },
    })
  }
}

function describeUp(message: WorkerMessage | Ending): string | undefined {
  if (message.message === 'heartbeat') return undefined
  if (message.message === 'evaluation') return `-> evaluation of round ${message.evaluation.round} block ${message.evaluation.block}`
  return `-> ${message.message}`
}

function describeDown(message: CoordinatorMessage | Ending): string {
  if (message.message === 'deal') return `<- deal ${JSON.stringify(message.deal)}`
  if (message.message === 'welcome') return `<- welcome to session ${message.welcome.session}`
  return `<- ${JSON.stringify(message)}`
}
