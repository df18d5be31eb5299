import { ProtocolError } from '../../shared/kit/errors.ts'
import { payloadBytes, type GradientChunk, type WeightsChunk } from '../../shared/wire/messages.ts'
import type { Connections } from '../port/connections.ts'

/** A stream of weights to a worker. */
export interface WeightsStream {
  getPeer(): string
  write(chunk: WeightsChunk): unknown
  end(): unknown
  /** Messages that were written and wait to be sent. */
  readonly writableLength: number
}

/** A stream of gradients from a worker. */
export interface GradientsStream {
  getPeer(): string
  pause(): unknown
  resume(): unknown
}

/** Whose connections are. */
export type Claims = Pick<Connections, 'claim' | 'release' | 'widen'>

/** A worker's session with whoever reduces, as the calls that carry megabytes see it. */
export interface BulkSession {
  readonly id: string
  /** @param sharesMemory the worker has opened the memory that it was offered @throws ProtocolError when there is one already */
  attachWeights(stream: WeightsStream, sharesMemory: boolean): void
  /** @returns whether the stream is new @throws ProtocolError when the chunk is not as it should be: the session must end */
  receive(stream: GradientsStream, chunk: GradientChunk): boolean
  /** Ends the session. */
  evict(reason: string): void
}

/** Streams count messages, of about a chunk each. */
const BYTES_PER_MESSAGE = 1024 * 1024

/** The streams that a worker has opened in one session, and the connections that they came on. */
export class WorkerStreams {
  /** Bytes of gradients. */
  received = 0
  /** Bytes of weights and images. */
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

  /** Bytes of weights that wait for the worker to take them. */
  get backlogBytes(): number {
    return (this.#weights?.writableLength ?? 0) * BYTES_PER_MESSAGE
  }

  sendWeights(chunk: WeightsChunk): void {
    if (this.#weights === undefined) return
    this.sent += payloadBytes(chunk)
    this.#weights.write(chunk)
  }

  /** A connection belongs to the session until its end. */
  claim(peer: string): void {
    this.#peers.push(peer)
    this.#connections.claim(peer)
  }

  /** @throws ProtocolError when there is one already. */
  attachWeights(stream: WeightsStream): void {
    if (this.#weights !== undefined) throw new ProtocolError('ReceiveWeights came twice')
    this.#weights = stream
    this.claim(stream.getPeer())
  }

  /** Gradients will come on this connection: it can take them from now on. @throws ProtocolError when it was said before. */
  introduce(peer: string): void {
    if (this.#isIntroduced) throw new ProtocolError('FetchManifest came twice')
    this.#isIntroduced = true
    this.claim(peer)
    this.#connections.widen(peer)
  }

  /** A chunk has come. @returns whether the stream is new @throws ProtocolError when there is another one already. */
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

  /** Takes no more gradients for now: the connection's window fills, and the worker waits. */
  pause(): void {
    this.#gradients?.pause()
  }

  resume(): void {
    this.#gradients?.resume()
  }

  /** The session is over. */
  close(): void {
    for (const peer of this.#peers) this.#connections.release(peer)
    this.#weights?.end()
    this.#gradients?.resume()
  }
}
