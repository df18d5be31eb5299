import type { ManifestPart } from '../../shared/data/manifest.ts'
import { HerdError, messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import type { GradientChunk, WeightsChunk } from '../../shared/wire/messages.ts'
import type { BulkSession, GradientsStream, WeightsStream } from '../../coordinator/exchange/worker_streams.ts'
import type { ArrivedWeights } from '../../worker/link.ts'
import type { SimulatedProcess } from './process.ts'
import { Stream } from './stream.ts'
import type { BulkEnd, Connectable, Wires } from './wires.ts'

export interface BulkObserver {
  onWeights: (chunk: ArrivedWeights) => void
  /** Called when the connection is lost, with the reason. */
  onLost: (reason: string) => void
}

interface Accepted {
  process: SimulatedProcess
  end: BulkEnd
  weights: Stream<WeightsChunk>
  gradients: Stream<GradientChunk>
  /** Calls of the worker. */
  calls: Stream<() => void>
  /** Answers to the worker's calls. */
  answers: Stream<() => void>
}

/** Number of chunks of weights that are under way in the network itself, and no backlog of the sender. */
const IN_FLIGHT = 24

/** Both ends of a worker's streams of weights and gradients, like those of worker/bulk.ts and coordinator/exchange/bulk_calls.ts. */
export class Bulk implements Connectable<BulkEnd> {
  readonly client: SimulatedProcess
  bytesSent = 0
  readonly #network: Wires
  /** Name of the other end in traces; empty if it is the coordinator. */
  readonly #place: string
  readonly #observer: BulkObserver
  #accepted: Accepted | undefined
  /** Calls made before the other end accepted. */
  #early: (() => void)[] = []
  #session = ''
  /** The session at the other end. */
  #attached: BulkSession | undefined
  #introduced: Promise<void> = Promise.resolve()
  #over = false

  constructor(network: Wires, worker: SimulatedProcess, place: string, observer: BulkObserver) {
    this.#network = network
    this.client = worker
    this.#place = place
    this.#observer = observer
  }

  get server(): SimulatedProcess | undefined {
    return this.#accepted?.process
  }

  get over(): boolean {
    return this.#over
  }

  // The worker's end.

  open(session: string): void {
    this.#session = session
    this.#ask((end) => {
      const opened = end.session(session)
      if (opened === undefined) return this.#refuse('no such session')
      this.#attached = opened
      this.#guarded(opened, () => opened.attachWeights(this.#weightsStream(), false))
    })
  }

  /** Announces that gradients will come over this connection; they wait for the answer. @returns the manifest from the other end */
  introduce(): Promise<readonly ManifestPart[]> {
    const session = this.#session
    const manifest = new Promise<readonly ManifestPart[]>((resolve) => {
      this.#ask((end) => {
        const opened = end.session(session)
        if (opened === undefined) return this.#refuse('no such session')
        this.#guarded(opened, () => opened.streams.introduce(this.client.name))
        this.#accepted?.answers.send(() => resolve(end.manifest))
      })
    })
    this.#introduced = manifest.then(() => undefined)
    return manifest
  }

  async sendGradient(chunk: Omit<GradientChunk, 'session'>): Promise<void> {
    await this.#introduced
    if (this.#over) return
    this.bytesSent += chunk.data.length
    this.#accepted?.gradients.send({ session: this.#session, ...chunk })
    await this.#accepted?.gradients.drained()
  }

  /** Loses the connection, since no process listens at the address. */
  refuse(): void {
    this.client.run(() => this.#lose('the connection was refused'))
  }

  close(): void {
    this.#over = true
    this.#breakStreams()
    const { latency } = this.#network
    this.#tellServer(latency.call(this.#network))
  }

  // The other end.

  accept(process: SimulatedProcess, end: BulkEnd, latency = this.#network.latencyOfConnection()): void {
    const { client } = this
    const { clock, meddler } = this.#network
    const common = { clock, latency, trace: (what: string) => this.#network.trace.add(client.name, `${what}${this.#place === '' ? '' : ` (${this.#place})`}`) }
    const up = { ...common, sender: client, receiver: process }
    const down = { ...common, sender: process, receiver: client }
    const plain = { describe: () => undefined, copy: (call: () => void) => call, meddle: (message: () => void) => [{ message, afterMs: 0 }], receive: (call: () => void) => call() }
    const way = `${client.name}${this.#place}`
    this.#accepted = {
      process, end,
      weights: new Stream<WeightsChunk>({ ...down, receive: (chunk) => this.#receiveWeights(chunk), copy: copyData, describe: ({ version, offset }) => `<- weights ${version} at ${offset}`, meddle: (chunk) => meddler.weights(way, chunk) }),
      gradients: new Stream<GradientChunk>({ ...up, receive: (chunk) => this.#receiveGradient(end, chunk), copy: copyData, describe: describeGradient, meddle: (chunk) => meddler.gradients(way, chunk) }),
      calls: new Stream<() => void>({ ...up, ...plain }),
      answers: new Stream<() => void>({ ...down, ...plain }),
    }
    for (const ask of this.#early) this.#accepted.calls.send(ask)
    this.#early = []
    if (this.#network.isPartitioned(client) || this.#network.isPartitioned(process)) this.stall()
  }

  // Faults of the connection.

  stall(): void {
    for (const stream of this.#streams()) stream.stall()
  }

  flow(): void {
    for (const stream of this.#streams()) stream.flow()
  }

  break(seen: { client: number | undefined; server: number | undefined }): void {
    this.#breakStreams()
    if (seen.client !== undefined) this.client.after(seen.client, () => this.#lose('the connection was lost'))
    if (seen.server !== undefined) this.#tellServer(seen.server)
  }

  breakOne(_control: boolean, seen: { client: number; server: number }): void {
    this.break(seen)
  }

  #ask(question: (end: BulkEnd) => void): void {
    const ask = (): void => {
      if (this.#accepted !== undefined) question(this.#accepted.end)
    }
    if (this.#accepted === undefined) this.#early.push(ask)
    else this.#accepted.calls.send(ask)
  }

  #weightsStream(): WeightsStream {
    const accepted = this.#accepted
    return {
      getPeer: () => this.client.name,
      write: (chunk) => accepted?.weights.send(chunk),
      end: () => undefined,
      get writableLength() {
        return Math.max(0, (accepted?.weights.backlog ?? 0) - IN_FLIGHT)
      },
    }
  }

  readonly #gradientsStream: GradientsStream = {
    getPeer: () => this.client.name,
    pause: () => this.#accepted?.gradients.pause(),
    resume: () => this.#accepted?.gradients.resume(),
  }

  #receiveGradient(end: BulkEnd, chunk: GradientChunk): void {
    const session = end.session(chunk.session)
    if (session === undefined || (this.#attached !== undefined && this.#attached.id !== session.id)) return this.#refuse('a gradient chunk of no member')
    this.#guarded(session, () => void session.receive(this.#gradientsStream, chunk))
  }

  #receiveWeights(chunk: WeightsChunk): void {
    if (!this.#over) this.#observer.onWeights(chunk)
  }

  /** Runs `take`. A violation of the protocol ends the session; any error that is not a HerdError is a defect of Herd, and is reported. */
  #guarded(session: BulkSession, take: () => void): void {
    try {
      take()
    } catch (error) {
      if (!(error instanceof HerdError)) this.#network.violated(`whoever reduces failed at a call of ${this.client.name}: ${error instanceof Error ? error.stack : String(error)}`)
      session.evict(messageOf(error))
      if (error instanceof ProtocolError) this.#refuse(messageOf(error))
    }
  }

  /** Answers the worker's calls with an error. */
  #refuse(reason: string): void {
    this.#accepted?.answers.send(() => this.#lose(reason))
  }

  #lose(reason: string): void {
    if (!this.#over) this.#observer.onLost(reason)
  }

  #tellServer(afterMs: number): void {
    this.#accepted?.process.after(afterMs, () => this.#attached?.evict('the connection was lost'))
  }

  #streams(): Pick<Stream<unknown>, 'stall' | 'flow' | 'break'>[] {
    const streams = this.#accepted
    return streams === undefined ? [] : [streams.weights, streams.gradients, streams.calls, streams.answers]
  }

  #breakStreams(): void {
    for (const stream of this.#streams()) stream.break()
  }
}

function describeGradient({ session, round, node, offset, lanes }: GradientChunk): string {
  return `-> gradient of round ${round} node ${node} at ${offset} in session ${session}${lanes.length > 0 ? `, lanes ${lanes.map(({ lane }) => lane).join()}` : ''}`
}

function copyData<T extends { data: Buffer }>(message: T): T {
  return { ...message, data: Buffer.from(new Uint8Array(message.data)) }
}
