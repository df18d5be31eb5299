import { status, type ClientDuplexStream, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js'
import { deferred } from '../shared/kit/async.ts'
import { HerdError, ProtocolError } from '../shared/kit/errors.ts'
import {
  bytesSchema, checked, coordinatorMessageSchema, imageFileSchema, type CoordinatorMessage, type GradientChunk, type Welcome, type WorkerMessage,
} from '../shared/wire/messages.ts'
import { plainText } from '../shared/kit/fields.ts'
import type { Access } from '../shared/wire/client_access.ts'
import { openChannel, reasonOf } from '../shared/wire/channel.ts'
import { Bulk } from './bulk.ts'
import type { ArrivedWeights, Link } from './link.ts'
import { CoordinatorMemory } from './shared_memory.ts'

const MAX_MANIFEST_BYTES = 64 * 1024 * 1024
/** A coordinator greets at once; what does not is none, or hangs. */
const WELCOME_MS = 10_000

interface ControlCalls {
  control(): ClientDuplexStream<WorkerMessage, unknown>
}

/**
 * The worker's three connections to a coordinator: one for the small messages, which never wait behind megabytes, and one for
 * megabytes in each direction; two more to each reducer, where the coordinator does not reduce by itself. What comes in is checked
 * here; the first failure, of whichever stream, ends the connection and is what `lost` says: a connection that breaks may be tried
 * again, a coordinator that breaks the protocol would do it again.
 */
export class Connection implements Link {
  readonly #lost = deferred<string>()
  readonly lost = this.#lost.promise
  bytesReceived = 0
  readonly #control: ClientDuplexStream<WorkerMessage, unknown>
  readonly #closeControl: () => void
  readonly #address: string
  /** To the coordinator. */
  readonly #bulk: Bulk
  /** Who reduces which range of the vector, in its order. */
  #reducers: { end: number; bulk: Bulk }[] = []
  readonly #greeting: NodeJS.Timeout
  readonly #access: Access
  #session = ''
  readonly #fetches = new Set<ClientReadableStream<unknown>>()
  #over = false

  constructor(address: string, access: Access, onMessage: (message: CoordinatorMessage) => void) {
    this.#access = access
    this.#address = address
    this.lost.catch(() => undefined)
    const control = openChannel<ControlCalls>(address, access, 'control', 'herd-worker-control')
    this.#closeControl = () => control.close()
    this.#bulk = new Bulk(address, access)
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

  /** The connection is lost for this reason, unless it ended before. */
  #lose(reason: string): void {
    this.#end()
    this.#lost.resolve(reason)
  }

  /** The coordinator has broken the protocol, unless the connection ended before. */
  #accuse(error: unknown): void {
    this.#end()
    this.#lost.reject(error)
  }

  #end(): void {
    this.#over = true
    clearTimeout(this.#greeting)
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

  get bytesSent(): number {
    return this.#reducers.reduce((sum, { bulk }) => sum + bulk.bytesSent, 0)
  }

  openBulk({ session, reducers, sharedMemory }: Welcome, onWeights: (chunk: ArrivedWeights) => void): void {
    this.#session = session
    const memory = sharedMemory === undefined || sharedMemory === null ? undefined : CoordinatorMemory.open(sharedMemory)
    this.#reducers = reducers.length === 0
      ? [{ end: Number.POSITIVE_INFINITY, bulk: this.#bulk }]
      : reducers.map(({ address, end }) => ({ end, bulk: new Bulk(this.#reachedAt(address), this.#access) }))
    this.#reducers.forEach(({ bulk }, index) => {
      const onLost = (reason: string): void => this.#lose(bulk === this.#bulk ? reason : `reducer ${index + 1}: ${reason}`)
      bulk.open(session, {
        onLost,
        onWeights: (chunk) => {
          this.bytesReceived += chunk.data.length
          onWeights(chunk)
        },
        onBreach: (error) => this.#accuse(error),
      }, bulk === this.#bulk ? memory : undefined)
      if (bulk !== this.#bulk) bulk.introduce(onLost)
    })
  }

  /** A reducer whose address has no host is where the coordinator is. */
  #reachedAt(address: string): string {
    return address.startsWith(':') ? this.#address.slice(0, this.#address.lastIndexOf(':')) + address : address
  }

  async sendGradient(chunk: Omit<GradientChunk, 'session' | 'shared'>): Promise<void> {
    if (this.#over) return
    await this.#reducers.find(({ end }) => chunk.offset < end)?.bulk.sendGradient(chunk)
  }

  /** Comes on the connection of the gradients, before there are any: it tells the coordinator whose connection that is. */
  async fetchManifest(): Promise<Buffer> {
    const parts: Buffer[] = []
    let size = 0
    for await (const raw of this.#received(this.#bulk.up.fetchManifest({ session: this.#session, sharesMemory: false }))) {
      const { data } = checked(bytesSchema, raw, 'a part of the manifest')
      size += data.length
      if (size > MAX_MANIFEST_BYTES) throw new ProtocolError('the manifest of the coordinator is larger than 64 MiB.')
      parts.push(data)
    }
    return Buffer.concat(parts)
  }

  async *fetchImages(samples: readonly number[]): AsyncGenerator<{ sample: number; data: Buffer }> {
    for await (const raw of this.#received(this.#bulk.down.fetchImages({ session: this.#session, samples }))) {
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
    this.#bulk.close()
    for (const { bulk } of this.#reducers) bulk.close()
    this.#control.cancel()
    this.#closeControl()
  }
}
