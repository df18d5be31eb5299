import { status, type ClientDuplexStream, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js'
import { deferred } from '../shared/kit/async.ts'
import type { ManifestPart } from '../shared/data/manifest.ts'
import { HerdError, ProtocolError } from '../shared/kit/errors.ts'
import {
  checked, coordinatorMessageSchema, imageFileSchema, manifestPartSchema, stateChunkSchema, type CoordinatorMessage, type GradientChunk, type StateChunk, type Welcome, type WorkerMessage,
} from '../shared/wire/messages.ts'
import { plainText } from '../shared/kit/fields.ts'
import type { Access } from '../shared/wire/client_access.ts'
import { openChannel, reasonOf } from '../shared/wire/channel.ts'
import { Bulk } from './bulk.ts'
import type { ArrivedWeights, Link } from './link.ts'
import { CoordinatorMemory } from './shared_memory.ts'

/** Time within which a coordinator must answer; it does so at once. A peer that does not is no coordinator, or hangs. */
const WELCOME_MS = 10_000

interface ControlCalls {
  control(): ClientDuplexStream<WorkerMessage, unknown>
}

/**
 * The worker's three connections to a coordinator: one for the small messages, which must never wait behind bulk data, and one for bulk data in
 * each direction; plus two to each reducer if the coordinator does not reduce by itself. Messages are checked here. The first failure of any
 * stream ends the connection and settles `lost`. A broken connection may be tried again; a coordinator that breaks the protocol is not, since it
 * would do so again.
 */
export class Connection implements Link {
  readonly #lost = deferred<string>()
  readonly lost = this.#lost.promise
  bytesReceived = 0
  readonly #control: ClientDuplexStream<WorkerMessage, unknown>
  readonly #closeControl: () => void
  readonly #address: string
  /** Bulk connections to the coordinator. */
  readonly #bulk: Bulk
  /** Bulk connections to the reducers, in the order of their ranges; `end` is the first element behind a range. */
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
      // A wrong token, or an identity that may not take part, is a refusal, not a lost connection: joining again would be in vain.
      if ((error.code === status.UNAUTHENTICATED || error.code === status.PERMISSION_DENIED) && !this.#over) onMessage({ message: 'refused', refused: { reason: plainText(error.details, 1000) } })
      else this.#lose(reasonOf(error, access))
    })
    this.#control.on('end', () => this.#lose('the coordinator closed the connection'))
  }

  /** Ends the connection as lost for this reason, unless it ended before. */
  #lose(reason: string): void {
    this.#end()
    this.#lost.resolve(reason)
  }

  /** Ends the connection because the coordinator broke the protocol, unless it ended before. */
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

  /** Completes a reducer's address: without a host, the reducer is where the coordinator is. */
  #reachedAt(address: string): string {
    return address.startsWith(':') ? this.#address.slice(0, this.#address.lastIndexOf(':')) + address : address
  }

  async sendGradient(chunk: Omit<GradientChunk, 'session' | 'shared'>): Promise<void> {
    if (this.#over) return
    await this.#reducers.find(({ end }) => chunk.offset < end)?.bulk.sendGradient(chunk)
  }

  /**
   * Fetches the manifest on the gradient connection, before any gradient: the session in this call tells the coordinator whose connection it is.
   * @throws ProtocolError if the manifest cannot be sent, or a part is not as it should be
   */
  async *fetchManifest(ownCopy: boolean): AsyncGenerator<ManifestPart> {
    for await (const raw of this.#received(this.#bulk.up.fetchManifest({ session: this.#session, ownCopy }))) yield checked(manifestPartSchema, raw, 'a part of the manifest')
  }

  async *fetchFrozen(): AsyncGenerator<StateChunk> {
    for await (const raw of this.#received(this.#bulk.down.fetchFrozen({ session: this.#session }))) {
      const chunk = checked(stateChunkSchema, raw, 'a chunk of frozen parameters')
      this.bytesReceived += chunk.data.length
      yield chunk
    }
  }

  async *fetchImages(samples: readonly number[]): AsyncGenerator<{ sample: number; data: Buffer }> {
    for await (const raw of this.#received(this.#bulk.down.fetchImages({ session: this.#session, samples }))) {
      const file = checked(imageFileSchema, raw, 'an image of the coordinator')
      this.bytesReceived += file.data.length
      yield file
    }
  }

  /**
   * Yields the messages of a call. A call that breaks ends the connection, but not the worker.
   * @throws ProtocolError if the call breaks
   */
  async *#received(call: ClientReadableStream<unknown>): AsyncGenerator<unknown> {
    this.#fetches.add(call)
    try {
      yield* call as AsyncIterable<unknown>
    } catch (error) {
      const { code } = error as ServiceError
      // NOT_FOUND means that the session is over; the coordinator's message that says so is on its way.
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
    // An unfinished call keeps its channel open, and that keeps the process alive.
    for (const fetch of this.#fetches) fetch.cancel()
    this.#bulk.close()
    for (const { bulk } of this.#reducers) bulk.close()
    this.#control.cancel()
    this.#closeControl()
  }
}
