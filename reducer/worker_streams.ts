import type { ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js'
import { ProtocolError } from '../shared/kit/errors.ts'
import type { GradientChunk, WeightsChunk } from '../shared/wire/messages.ts'
import type { Connections } from '../coordinator/port/connections.ts'
import type { Receiver } from '../coordinator/exchange/range_reducer.ts'
import { backlogOf } from '../coordinator/exchange/chunk_streams.ts'

/** One worker's session at a reducer: the streams that it has opened. */
export class WorkerStreams implements Receiver {
  /** Secret of the worker's membership. */
  readonly id: string
  received = 0
  sent = 0
  /** The coordinator says that it may have the weights. */
  isMember = false
  readonly #connections: Connections
  readonly #onBroken: (reason: string) => void
  readonly #peers: string[] = []
  #weights: ServerWritableStream<unknown, WeightsChunk> | undefined
  #gradients: ServerReadableStream<unknown, object> | undefined
  /** Came before the coordinator's word that its step begins. */
  #early: GradientChunk | undefined
  #isIntroduced = false
  #over = false

  /** @param onBroken is told once why the session cannot go on */
  constructor(id: string, connections: Connections, onBroken: (reason: string) => void) {
    this.id = id
    this.#connections = connections
    this.#onBroken = onBroken
  }

  get hasWeightsStream(): boolean {
    return this.#weights !== undefined
  }

  get backlogBytes(): number {
    return backlogOf(this.#weights)
  }

  sendWeights(chunk: WeightsChunk): void {
    this.sent += chunk.data.length
    this.#weights?.write(chunk)
  }

  evict(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#onBroken(reason)
  }

  /** @throws ProtocolError when there is one already. */
  attachWeights(stream: ServerWritableStream<unknown, WeightsChunk>): void {
    if (this.#weights !== undefined) throw new ProtocolError('ReceiveWeights came twice')
    this.#weights = stream
    this.#claim(stream.getPeer())
    stream.on('cancelled', () => this.evict('the connection was lost'))
  }

  /** Gradients will come on this connection. @throws ProtocolError when it was said before. */
  introduce(peer: string): void {
    if (this.#isIntroduced) throw new ProtocolError('FetchManifest came twice')
    this.#isIntroduced = true
    this.#claim(peer)
    this.#connections.widen(peer)
  }

  /** @throws ProtocolError when there is another one already. */
  attachGradients(stream: ServerReadableStream<unknown, object>): void {
    if (this.#gradients === stream) return
    if (this.#gradients !== undefined) throw new ProtocolError('SendGradients came twice')
    this.#gradients = stream
    this.#claim(stream.getPeer())
    stream.on('cancelled', () => this.evict('the connection was lost'))
    stream.on('end', () => this.evict('the worker closed its stream of gradients'))
  }

  /** Keeps a chunk for later, and takes no more until then: the connection's window fills, and the worker waits. */
  hold(chunk: GradientChunk): void {
    if (this.#early !== undefined) throw new ProtocolError('gradient chunks came out of order')
    this.#early = chunk
    this.#gradients?.pause()
  }

  /** What was held, if anything was; more comes again. */
  release(): GradientChunk | undefined {
    const early = this.#early
    this.#early = undefined
    if (early !== undefined) this.#gradients?.resume()
    return early
  }

  /** The session is over. */
  close(): void {
    this.#over = true
    for (const peer of this.#peers) this.#connections.release(peer)
    this.#weights?.end()
    this.#gradients?.resume()
  }

  #claim(peer: string): void {
    this.#peers.push(peer)
    this.#connections.claim(peer)
  }
}
