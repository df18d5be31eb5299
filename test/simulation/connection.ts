import { HerdError, messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import type { CoordinatorMessage, GradientChunk, Welcome, WeightsChunk, WorkerMessage } from '../../shared/wire/messages.ts'
import type { ArrivedWeights, Link } from '../../worker/link.ts'
import type { Network } from './network.ts'
import type { SimulatedProcess } from './process.ts'
import { Stream } from './stream.ts'

/** How a stream ends: said by the peer, in the order of messages. */
export type Ending = { message: 'end' } | { message: 'aborted'; reason: string }
export type UpMessage = WorkerMessage | { message: 'end' }
export type DownMessage = CoordinatorMessage | Ending

/** What the coordinator's end of a connection tells. */
export interface ServerEnd {
  onControl(message: UpMessage): void
  onGradient(chunk: GradientChunk): void
  /** The manifest, or undefined where there is no such session. */
  manifest(session: string): Buffer | undefined
  openWeights(session: string): void
  /** The control stream broke. */
  onBroken(): void
}

/** Streams of a connection that a coordinator has accepted. */
interface Accepted {
  process: SimulatedProcess
  end: ServerEnd
  up: Stream<UpMessage>
  down: Stream<DownMessage>
  weights: Stream<WeightsChunk>
  gradients: Stream<GradientChunk>
  /** Questions and answers of the bulk connection. */
  calls: Stream<() => void>
  answers: Stream<() => void>
}

/** As a worker waits for the first word of a coordinator. */
const WELCOME_MS = 10_000
/** As a worker waits for the other end when it closes. */
const CLOSE_PATIENCE_MS = 500

/**
 * Both ends of one worker's connections to a coordinator, control and bulk, as worker/connection.ts and
 * coordinator/members/server.ts have them: streams in order, each of which can break by itself.
 */
export class Connection implements Link {
  readonly lost: Promise<string>
  readonly worker: SimulatedProcess
  bytesSent = 0
  bytesReceived = 0
  readonly #network: Network
  readonly #onMessage: (message: CoordinatorMessage) => void
  #accepted: Accepted | undefined
  /** What was sent before the coordinator accepted. */
  #early: UpMessage[] = []
  #session = ''
  #onWeights: (chunk: ArrivedWeights) => void = () => undefined
  #over = false
  #endSeen: () => void = () => undefined
  #lose: (reason: string) => void = () => undefined
  #accuse: (error: HerdError) => void = () => undefined
  #endGreeting: () => void = () => undefined

  constructor(network: Network, worker: SimulatedProcess, onMessage: (message: CoordinatorMessage) => void) {
    this.#network = network
    this.worker = worker
    this.#onMessage = onMessage
    this.lost = new Promise((resolve, reject) => {
      const once = (reason: string, settle: () => void): void => {
        if (this.#over) return
        this.#over = true
        this.#endGreeting()
        network.trace.add(worker.name, `connection over: ${reason}`)
        settle()
      }
      this.#lose = (reason) => once(reason, () => resolve(reason))
      this.#accuse = (error) => once(messageOf(error), () => reject(error))
    })
    this.lost.catch(() => undefined)
    this.#endGreeting = worker.after(WELCOME_MS, () => this.#lose('the coordinator does not answer'))
  }

  // The worker's end.

  send(message: WorkerMessage): void {
    if (!this.#over) this.#sendUp(message)
  }

  openBulk({ session }: Welcome, onWeights: (chunk: ArrivedWeights) => void): void {
    this.#session = session
    this.#onWeights = onWeights
    this.#accepted?.calls.send(() => this.#accepted?.end.openWeights(session))
  }

  async sendGradient(chunk: Omit<GradientChunk, 'session'>): Promise<void> {
    if (this.#over) return
    this.bytesSent += chunk.data.length
    this.#accepted?.gradients.send({ session: this.#session, ...chunk })
    await this.#accepted?.gradients.drained()
  }

  fetchManifest(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const session = this.#session
      this.lost.then((reason) => reject(new ProtocolError(`the coordinator cannot send what was asked for: ${reason}`)), reject)
      this.#accepted?.calls.send(() => {
        const manifest = this.#accepted?.end.manifest(session)
        this.#accepted?.answers.send(() => {
          if (manifest === undefined) this.#lose('no such session')
          else resolve(manifest)
        })
      })
    })
  }

  async *fetchImages(): AsyncGenerator<{ sample: number; data: Buffer }> {
    throw new ProtocolError('workers of the simulation have images of their own.')
  }

  async close(): Promise<void> {
    this.#lose('the worker closed the connection')
    const ended = new Promise<void>((resolve) => (this.#endSeen = resolve))
    this.#sendUp({ message: 'end' })
    await Promise.race([ended, this.worker.sleep(CLOSE_PATIENCE_MS)])
    this.#breakStreams()
    this.#tellCoordinator(this.#network.latency())
  }

  // The coordinator's end.

  accept(process: SimulatedProcess, end: ServerEnd): void {
    const { worker } = this
    const { clock } = this.#network
    const latency = this.#network.latencyOfConnection()
    const common = { clock, latency, trace: (what: string) => this.#network.trace.add(worker.name, what) }
    const up = { ...common, sender: worker, receiver: process }
    const down = { ...common, sender: process, receiver: worker }
    const plain = { describe: () => undefined, copy: <T>(message: T): T => message, meddle: <T>(message: T) => [{ message, afterMs: 0 }] }
    const meddler = this.#network.meddler
    this.#accepted = {
      process, end,
      up: new Stream<UpMessage>({ ...up, ...plain, receive: (message) => end.onControl(message), describe: describeUp, meddle: (message) => meddler.up(worker.name, message) }),
      down: new Stream<DownMessage>({ ...down, ...plain, receive: (message) => this.#receive(message), describe: describeDown, meddle: (message) => meddler.down(worker.name, message) }),
      weights: new Stream<WeightsChunk>({ ...down, receive: (chunk) => this.#receiveWeights(chunk), copy: copyData, describe: ({ version, offset }) => `<- weights ${version} at ${offset}`, meddle: (chunk) => meddler.weights(worker.name, chunk) }),
      gradients: new Stream<GradientChunk>({ ...up, receive: (chunk) => end.onGradient(chunk), copy: copyData, describe: describeGradient, meddle: (chunk) => meddler.gradients(worker.name, chunk) }),
      calls: new Stream<() => void>({ ...up, ...plain, receive: (call) => call() }),
      answers: new Stream<() => void>({ ...down, ...plain, receive: (answer) => answer() }),
    }
    for (const message of this.#early) this.#accepted.up.send(message)
    this.#early = []
    if (this.#network.isPartitioned(worker)) this.stall()
  }

  /** Nobody listens there. */
  refuse(): void {
    this.worker.run(() => this.#lose('the coordinator cannot be reached'))
  }

  sendDown(message: DownMessage): void {
    this.#accepted?.down.send(message)
  }

  sendWeights(chunk: WeightsChunk): void {
    this.#accepted?.weights.send(chunk)
  }

  /** Answers the call that carries gradients with an error. */
  refuseGradients(reason: string): void {
    this.#accepted?.answers.send(() => this.#lose(reason))
  }

  get weightsBacklog(): number {
    return this.#accepted?.weights.backlog ?? 0
  }

  get coordinator(): SimulatedProcess | undefined {
    return this.#accepted?.process
  }

  get over(): boolean {
    return this.#over
  }

  // What can happen to it.

  stall(): void {
    for (const stream of this.#streams()) stream.stall()
  }

  flow(): void {
    for (const stream of this.#streams()) stream.flow()
  }

  /**
   * Breaks: what is on the way is lost.
   * @param seen after how many milliseconds each end notices; undefined where it does not
   */
  break(seen: { worker: number | undefined; coordinator: number | undefined }): void {
    this.#breakStreams()
    if (seen.worker !== undefined) this.#tellWorker(seen.worker)
    if (seen.coordinator !== undefined) this.#tellCoordinator(seen.coordinator)
  }

  /** Only the control stream breaks; gradients still arrive for a while. */
  breakControl(seen: { worker: number; coordinator: number }): void {
    this.#accepted?.up.break()
    this.#accepted?.down.break()
    this.#tellWorker(seen.worker)
    this.#tellCoordinator(seen.coordinator)
  }

  /** Only the bulk streams break. */
  breakBulk(seen: { worker: number; coordinator: number }): void {
    const streams = this.#accepted
    for (const stream of [streams?.weights, streams?.gradients, streams?.calls, streams?.answers]) stream?.break()
    this.#tellWorker(seen.worker)
    this.#tellCoordinator(seen.coordinator)
  }

  #tellWorker(afterMs: number): void {
    this.worker.after(afterMs, () => this.#lose('the coordinator cannot be reached'))
  }

  #tellCoordinator(afterMs: number): void {
    const accepted = this.#accepted
    accepted?.process.after(afterMs, () => accepted.end.onBroken())
  }

  #sendUp(message: UpMessage): void {
    if (this.#accepted === undefined) this.#early.push(message)
    else this.#accepted.up.send(message)
  }

  #streams(): Pick<Stream<unknown>, 'stall' | 'flow' | 'break'>[] {
    const streams = this.#accepted
    return streams === undefined ? [] : [streams.up, streams.down, streams.weights, streams.gradients, streams.calls, streams.answers]
  }

  #breakStreams(): void {
    for (const stream of this.#streams()) stream.break()
  }

  #receive(message: DownMessage): void {
    this.#endGreeting()
    if (message.message === 'end' || message.message === 'aborted') {
      this.#lose(message.message === 'end' ? 'the coordinator closed the connection' : message.reason)
      return this.#endSeen()
    }
    this.#checked(() => this.#onMessage(message))
  }

  #receiveWeights(chunk: WeightsChunk): void {
    this.#checked(() => this.#onWeights(chunk))
  }

  /** What a message breaks ends the connection, and the worker. */
  #checked(take: () => void): void {
    try {
      take()
    } catch (error) {
      if (error instanceof HerdError) return this.#accuse(error)
      this.#network.violated(`${this.worker.name} failed at a message: ${String(error)}`)
    }
  }
}

function describeUp(message: UpMessage): string | undefined {
  if (message.message === 'heartbeat') return undefined
  if (message.message === 'evaluation') return `-> evaluation of round ${message.evaluation.round} block ${message.evaluation.block}`
  return `-> ${message.message}`
}

function describeDown(message: DownMessage): string {
  if (message.message === 'deal') return `<- deal ${JSON.stringify(message.deal)}`
  if (message.message === 'welcome') return `<- welcome to session ${message.welcome.session}`
  return `<- ${JSON.stringify(message)}`
}

function describeGradient({ session, round, node, offset, lanes }: GradientChunk): string {
  return `-> gradient of round ${round} node ${node} at ${offset} in session ${session}${lanes.length > 0 ? `, lanes ${lanes.map(({ lane }) => lane).join()}` : ''}`
}

function copyData<T extends { data: Buffer }>(message: T): T {
  return { ...message, data: Buffer.from(new Uint8Array(message.data)) }
}
