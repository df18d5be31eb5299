import { ProtocolError } from '../../shared/kit/errors.ts'
import { payloadBytes, type GradientChunk, type WeightsChunk } from '../../shared/wire/messages.ts'
import type { Connections } from '../port/connections.ts'

/** A stream of weights to a worker. */
export interface WeightsStream {
  getPeer(): string
  write(chunk: WeightsChunk): unknown
  end(): unknown
  /** Number of messages that are written and not yet sent. */
  readonly writableLength: number
}

/** A stream of gradients from a worker. */
export interface GradientsStream {
  getPeer(): string
  pause(): unknown
  resume(): unknown
}

/** The part of `Connections` that assigns connections to sessions. */
export type Claims = Pick<Connections, 'claim' | 'release' | 'widen'>

/** A worker's session with the reducing process, as the bulk calls for weights and gradients see it. */
export interface BulkSession {
  readonly id: string
  /** @param sharesMemory true if the worker has opened the memory that it was offered @throws ProtocolError if it has a stream already */
  attachWeights(stream: WeightsStream, sharesMemory: boolean): void
  /** @returns true if the stream is new @throws ProtocolError if the chunk is invalid: the session must then end */
  receive(stream: GradientsStream, chunk: GradientChunk): boolean
  /** Ends the session. */
  evict(reason: string): void
}

/** Approximate size of a message, which is about one chunk; streams count messages, not bytes. */
const BYTES_PER_MESSAGE = 1024 * 1024

/** The streams that a worker has opened in one session, and the connections that they came on. */
export class WorkerStreams {
  /** Bytes of gradients received. */
  received = 0
  /** Bytes of weights and images sent. */
  sent = 0
  readonly #connections: Claims
  readonly #peers: string[] = []
  #weights: WeightsStream | undefined
  #gradients: GradientsStream | undefined
  #isIntroduced = false

  constructor(connections: Claims) {
    this.#connections = connections
  }

  get hasWeights(): boolean {
    return this.#weights !== undefined
  }

  /** Approximate bytes of weights that are queued and not yet sent to the worker. */
  get backlogBytes(): number {
    return (this.#weights?.writableLength ?? 0) * BYTES_PER_MESSAGE
  }

  /** Sends a chunk; without a stream of weights, the chunk is dropped. */
  sendWeights(chunk: WeightsChunk): void {
    if (this.#weights === undefined) return
    this.sent += payloadBytes(chunk)
    this.#weights.write(chunk)
  }

  /** Assigns a connection to the session until the session ends. @param peer HOST:PORT */
  claim(peer: string): void {
    this.#peers.push(peer)
    this.#connections.claim(peer)
  }

  /** @throws ProtocolError if there is a stream of weights already */
  attachWeights(stream: WeightsStream): void {
    if (this.#weights !== undefined) throw new ProtocolError('ReceiveWeights came twice')
    this.#weights = stream
    this.claim(stream.getPeer())
  }

  /** Prepares the connection on which the worker will send its gradients. @throws ProtocolError if there is one already */
  introduce(peer: string): void {
    if (this.#isIntroduced) throw new ProtocolError('FetchManifest came twice')
    this.#isIntroduced = true
    this.claim(peer)
    this.#connections.widen(peer)
  }

  /** Counts a chunk that has come. @returns true if the stream is new @throws ProtocolError if there is another one already */
  onGradient(stream: GradientsStream, chunk: GradientChunk): boolean {
    const isNew = this.#gradients === undefined
    if (!isNew && this.#gradients !== stream) throw new ProtocolError('SendGradients came twice')
    if (isNew) {
      this.#gradients = stream
      this.claim(stream.getPeer())
    }
    this.received += payloadBytes(chunk)
    return isNew
  }

  /** Stops reading gradients for now: the connection's window fills, and the worker waits. */
  pause(): void {
    this.#gradients?.pause()
  }

  resume(): void {
    this.#gradients?.resume()
  }

  /** Ends the stream of weights and gives up the connections, since the session is over. */
  close(): void {
    for (const peer of this.#peers) this.#connections.release(peer)
    this.#weights?.end()
    this.#gradients?.resume()
  }
}
