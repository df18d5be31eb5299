import type { ClientReadableStream, ClientWritableStream, ServiceError } from '@grpc/grpc-js'
import { messageOf, ProtocolError } from '../shared/kit/errors.ts'
import type { Access } from '../shared/wire/client_access.ts'
import { openChannel, reasonOf } from '../shared/wire/channel.ts'
import { drained } from '../shared/kit/drained.ts'
import { checked, weightsChunkSchema, type GradientChunk, type WeightsChunk } from '../shared/wire/messages.ts'
import { NO_DATA } from '../shared/wire/payload.ts'
import type { ArrivedWeights } from './link.ts'
import { BehindError, type CoordinatorMemory } from './shared_memory.ts'

interface SessionRequest {
  session: string
  sharesMemory: boolean
}

/** The calls that a worker makes on its bulk connections. */
export interface BulkCalls {
  receiveWeights(request: SessionRequest): ClientReadableStream<unknown>
  sendGradients(callback: (error: ServiceError | null) => void): ClientWritableStream<GradientChunk>
  fetchManifest(request: { session: string; ownCopy: boolean }): ClientReadableStream<unknown>
  fetchFrozen(request: { session: string }): ClientReadableStream<unknown>
  fetchImages(request: { session: string; samples: readonly number[] }): ClientReadableStream<unknown>
}

export interface BulkObserver {
  /** Receives each chunk of weights that arrives. May throw a ProtocolError or a BehindError. */
  onWeights: (chunk: ArrivedWeights) => void
  /** Receives the reason for which the streams cannot go on, e.g. a broken connection. */
  onLost: (reason: string) => void
  /** Receives the error if the other side breaks the protocol. */
  onBreach: (error: unknown) => void
}

/**
 * Two connections to a reducer (or to a coordinator that reduces by itself), one for bulk data in each direction. The directions must not share
 * one connection: while Node writes on an HTTP/2 session it does not read from it, so two ends that both have more to write than the sockets
 * hold would wait for each other for ever.
 */
export class Bulk {
  /** Connection for weights and images. */
  readonly down: BulkCalls & { close(): void }
  /** Connection for gradients. */
  readonly up: BulkCalls & { close(): void }
  bytesSent = 0
  readonly #access: Access
  #session = ''
  #memory: CoordinatorMemory | undefined
  #weights: ClientReadableStream<unknown> | undefined
  #gradients: ClientWritableStream<GradientChunk> | undefined
  #introduced: Promise<void> = Promise.resolve()
  #over = false

  constructor(address: string, access: Access) {
    this.#access = access
    this.down = openChannel<BulkCalls>(address, access, 'down', 'herd-worker-down')
    this.up = openChannel<BulkCalls>(address, access, 'up', 'herd-worker-up')
  }

  /**
   * Opens the streams of a session: from then on weights arrive and gradients can be sent.
   * @param memory shared with the other side, to hold weights and gradients in place of the streams; undefined: none is shared
   */
  open(session: string, { onWeights, onLost, onBreach }: BulkObserver, memory?: CoordinatorMemory): void {
    this.#session = session
    this.#memory = memory
    this.#weights = this.down.receiveWeights({ session, sharesMemory: memory !== undefined })
    this.#weights.on('data', (raw: unknown) => {
      if (this.#over) return
      try {
        onWeights(this.#arrived(checked(weightsChunkSchema, raw, 'a chunk of weights')))
      } catch (error) {
        if (error instanceof BehindError) onLost(error.message)
        else onBreach(error)
      }
    })
    this.#weights.on('error', (error: ServiceError) => onLost(reasonOf(error, this.#access)))
    this.#gradients = this.up.sendGradients((error) => {
      if (error !== null) onLost(reasonOf(error, this.#access))
    })
    this.#gradients.on('error', (error: Error) => onLost(messageOf(error)))
  }

  /**
   * Identifies the gradient connection to a reducer, which then grants it a large flow-control window; gradients wait until this is done. A
   * coordinator needs no such call, because the worker fetches the manifest from it on this connection.
   */
  introduce(onLost: (reason: string) => void): void {
    const call = this.up.fetchManifest({ session: this.#session, ownCopy: true })
    this.#introduced = new Promise((resolve) => {
      call.on('error', (error: ServiceError) => onLost(reasonOf(error, this.#access)))
      call.on('end', resolve)
      call.resume()
    })
  }

  /** Sends one chunk of a gradient, through shared memory if there is room. Settles when more may be sent. */
  async sendGradient(chunk: Omit<GradientChunk, 'session' | 'shared'>): Promise<void> {
    await this.#introduced
    const stream = this.#gradients
    if (this.#over || stream === undefined) return
    this.bytesSent += chunk.data.length
    const shared = this.#memory?.putGradient(chunk.round, chunk.data)
    if (!stream.write({ session: this.#session, ...chunk, ...(shared === undefined ? {} : { data: NO_DATA, shared }) })) await drained(stream)
  }

  /**
   * Resolves a chunk of weights to its bytes, in the message or in shared memory.
   * @throws ProtocolError if the chunk is in shared memory that this worker has not opened
   */
  #arrived({ shared, data, ...chunk }: WeightsChunk): ArrivedWeights {
    if (shared === undefined || shared === null) return { ...chunk, data }
    if (this.#memory === undefined) throw new ProtocolError('a chunk of weights is in memory that the worker does not share')
    return { ...chunk, data: this.#memory.weights(chunk.version, shared) }
  }

  close(): void {
    if (!this.#over) this.#memory?.close()
    this.#over = true
    this.#weights?.cancel()
    this.#gradients?.cancel()
    this.down.close()
    this.up.close()
  }
}
