import { status, type ClientDuplexStream, type ClientReadableStream, type ClientWritableStream, type ServiceError } from '@grpc/grpc-js'
import { HerdError, messageOf, ProtocolError } from '../shared/errors.ts'
import {
  bytesSchema, checked, coordinatorMessageSchema, imageFileSchema, plainText, weightsChunkSchema,
  type CoordinatorMessage, type GradientChunk, type WeightsChunk, type WorkerMessage,
} from '../shared/wire/messages.ts'
import type { Access } from '../shared/wire/access.ts'
import { openChannel, reasonOf } from '../shared/wire/channel.ts'
import { drained } from '../shared/wire/drained.ts'
import type { Link } from './link.ts'

const MAX_MANIFEST_BYTES = 64 * 1024 * 1024
/** A coordinator greets at once; what does not is none, or hangs. */
const WELCOME_MS = 10_000

interface Streams {
  control(): ClientDuplexStream<WorkerMessage, unknown>
  receiveWeights(request: { session: string }): ClientReadableStream<unknown>
  sendGradients(callback: (error: ServiceError | null) => void): ClientWritableStream<GradientChunk>
  fetchManifest(request: { session: string }): ClientReadableStream<unknown>
  fetchImages(request: { session: string; samples: readonly number[] }): ClientReadableStream<unknown>
}

/**
 * The worker's three connections to a coordinator: one for the small messages, which never wait behind megabytes, and one for
 * megabytes in each direction. Both directions must not share one: while Node writes on an HTTP/2 session it does not read
 * from it, so two ends that both have more to write than the sockets hold would wait for each other for ever. What comes in is checked here; the first failure, of whichever stream,
 * ends the connection and is what `lost` says: a connection that breaks may be tried again, a coordinator that breaks
 * the protocol would do it again.
 */
export class Connection implements Link {
  readonly lost: Promise<string>
  bytesSent = 0
  bytesReceived = 0
  readonly #control: ClientDuplexStream<WorkerMessage, unknown>
  /** Weights, images. */
  readonly #down: Streams & { close(): void }
  /** Gradients. */
  readonly #up: Streams & { close(): void }
  readonly #closeAll: () => void
  readonly #greeting: NodeJS.Timeout
  readonly #access: Access
  #session = ''
  #gradients: ClientWritableStream<GradientChunk> | undefined
  #weights: ClientReadableStream<unknown> | undefined
  readonly #fetches = new Set<ClientReadableStream<unknown>>()
  #over = false
  #lose: (reason: string) => void = () => undefined
  #accuse: (error: unknown) => void = () => undefined

  constructor(address: string, access: Access, onMessage: (message: CoordinatorMessage) => void) {
    this.#access = access
    this.lost = new Promise((resolve, reject) => {
      const once = (settle: () => void): void => {
        if (this.#over) return
        this.#over = true
        clearTimeout(this.#greeting)
        settle()
      }
      this.#lose = (reason) => once(() => resolve(reason))
      this.#accuse = (error) => once(() => reject(error))
    })
    this.lost.catch(() => undefined)
    const open = (kind: 'control' | 'down' | 'up'): Streams & { close(): void } => openChannel<Streams>(address, access, kind, `herd-worker-${kind}`)
    const control = open('control')
    this.#down = open('down')
    this.#up = open('up')
    this.#closeAll = () => {
      for (const channel of [control, this.#down, this.#up]) channel.close()
    }
    this.#control = control.control()
    this.#greeting = setTimeout(() => this.#lose(`what listens there does not answer as a coordinator does within ${WELCOME_MS / 1000} s`), WELCOME_MS)
    this.#control.on('data', (raw: unknown) => {
      clearTimeout(this.#greeting)
      if (!this.#over) this.#judge(() => onMessage(checked(coordinatorMessageSchema, raw, 'a message of the coordinator')))
    })
    this.#control.on('error', (error: ServiceError) => {
      // Trying again with the same token would be in vain.
      if (error.code === status.UNAUTHENTICATED && !this.#over) onMessage({ message: 'refused', refused: { reason: plainText(error.details, 1000) } })
      else this.#lose(reasonOf(error, access))
    })
    this.#control.on('end', () => this.#lose('the coordinator closed the connection'))
  }

  #judge(take: () => void): void {
    try {
      take()
    } catch (error) {
      this.#accuse(error)
    }
  }

  send(message: WorkerMessage): void {
    if (!this.#over) this.#control.write(message)
  }

  openBulk(session: string, onWeights: (chunk: WeightsChunk) => void): void {
    this.#session = session
    const weights = this.#down.receiveWeights({ session })
    this.#weights = weights
    weights.on('data', (raw: unknown) => {
      if (this.#over) return
      this.#judge(() => {
        const chunk = checked(weightsChunkSchema, raw, 'a chunk of weights')
        this.bytesReceived += chunk.data.length
        onWeights(chunk)
      })
    })
    weights.on('error', (error: ServiceError) => this.#lose(reasonOf(error, this.#access)))
    this.#gradients = this.#up.sendGradients((error) => {
      if (error !== null) this.#lose(reasonOf(error, this.#access))
    })
    this.#gradients.on('error', (error: Error) => this.#lose(messageOf(error)))
  }

  async sendGradient(chunk: Omit<GradientChunk, 'session'>): Promise<void> {
    const stream = this.#gradients
    if (this.#over || stream === undefined) return
    this.bytesSent += chunk.data.length
    if (!stream.write({ session: this.#session, ...chunk })) await drained(stream)
  }

  /** Comes on the connection of the gradients, before there are any: it tells the coordinator whose connection that is. */
  async fetchManifest(): Promise<Buffer> {
    const parts: Buffer[] = []
    let size = 0
    for await (const raw of this.#received(this.#up.fetchManifest({ session: this.#session }))) {
      const { data } = checked(bytesSchema, raw, 'a part of the manifest')
      size += data.length
      if (size > MAX_MANIFEST_BYTES) throw new ProtocolError('the manifest of the coordinator is larger than 64 MiB.')
      parts.push(data)
    }
    return Buffer.concat(parts)
  }

  async *fetchImages(samples: readonly number[]): AsyncGenerator<{ sample: number; data: Buffer }> {
    for await (const raw of this.#received(this.#down.fetchImages({ session: this.#session, samples }))) {
      const file = checked(imageFileSchema, raw, 'an image of the coordinator')
      this.bytesReceived += file.data.length
      yield file
    }
  }

  /** What a call brings; a call that breaks is the end of the connection, and not of the worker. */
  async *#received(call: ClientReadableStream<unknown>): AsyncGenerator<unknown> {
    this.#fetches.add(call)
    try {
      yield* call as AsyncIterable<unknown>
    } catch (error) {
      const { code } = error as ServiceError
      // NOT_FOUND: the session is over, and the word of it is on its way.
      if (code === status.UNAVAILABLE || code === status.CANCELLED || code === status.NOT_FOUND) this.#lose(reasonOf(error as ServiceError, this.#access))
      throw error instanceof HerdError ? error : new ProtocolError(`the coordinator cannot send what was asked for: ${reasonOf(error as ServiceError, this.#access)}`)
    } finally {
      call.cancel()
      this.#fetches.delete(call)
    }
  }

  async close(): Promise<void> {
    this.#lose('the worker closed the connection')
    await new Promise<void>((resolve) => {
      const patience = setTimeout(resolve, 500)
      this.#control.once('end', () => {
        clearTimeout(patience)
        resolve()
      })
      this.#control.end()
    })
    // A channel stays open, and with it the process, for as long as one of its calls does.
    for (const fetch of this.#fetches) fetch.cancel()
    this.#weights?.cancel()
    this.#gradients?.cancel()
    this.#control.cancel()
    this.#closeAll()
  }
}
