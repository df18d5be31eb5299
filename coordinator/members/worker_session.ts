import type { ServerDuplexStream, ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js'
import { Turns } from '../../shared/kit/async.ts'
import { ProtocolError } from '../../shared/kit/errors.ts'
import type { MemoryFile } from '../../shared/kit/memory_file.ts'
import { payloadBytes, type CoordinatorMessage, type WeightsChunk } from '../../shared/wire/messages.ts'
import type { Member, WorkerFacts } from '../contract/member.ts'
import { backlogOf } from '../exchange/chunk_streams.ts'

export type ControlStream = ServerDuplexStream<unknown, CoordinatorMessage>
export type WeightsStream = ServerWritableStream<unknown, WeightsChunk>
export type GradientsStream = ServerReadableStream<unknown, object>

/** One worker's membership: its streams, and what is known of it. Opens with Hello, is a member from Ready on. */
export class WorkerSession implements Member {
  /** Secret of this membership. */
  readonly id: string
  /** Unique among members: the name that the worker gave, numbered if it is taken. */
  readonly name: string
  /** Random, of the worker's process. */
  readonly instance: string
  facts: WorkerFacts | undefined
  residentBytes = 0
  bytesReceived = 0
  bytesSent = 0
  readonly evict: (reason: string) => void
  readonly #control: ControlStream
  /** What it was offered. */
  #offered: MemoryFile | undefined
  #sharesMemory = false
  #weights: WeightsStream | undefined
  #gradients: GradientsStream | undefined
  #hasManifest = false
  readonly #images = new Turns()

  /** @param parts.evict ends the control stream with a reason. */
  constructor(parts: { id: string; name: string; instance: string; control: ControlStream; evict: (reason: string) => void }) {
    this.id = parts.id
    this.name = parts.name
    this.instance = parts.instance
    this.#control = parts.control
    this.evict = parts.evict
  }

  /** A file for its gradients, which is closed with the session. */
  offerMemory(gradients: MemoryFile): void {
    this.#offered = gradients
  }

  get memory(): MemoryFile | undefined {
    return this.#sharesMemory ? this.#offered : undefined
  }

  /**
   * The session ends with the stream.
   * @param sharesMemory the worker has opened what it was offered
   * @throws ProtocolError when there is one already, or nothing was offered.
   */
  attachWeights(stream: WeightsStream, sharesMemory: boolean): void {
    if (this.#weights !== undefined) throw new ProtocolError('ReceiveWeights came twice')
    if (sharesMemory && this.#offered === undefined) throw new ProtocolError('a worker shares memory that it was not offered')
    this.#sharesMemory = sharesMemory
    this.#weights = stream
    stream.on('cancelled', () => this.evict('the connection was lost'))
  }

  /** The session ends with the stream. @returns whether it is new. @throws ProtocolError when there is another one already. */
  attachGradients(stream: GradientsStream): boolean {
    if (this.#gradients === stream) return false
    if (this.#gradients !== undefined) throw new ProtocolError('SendGradients came twice')
    this.#gradients = stream
    stream.on('cancelled', () => this.evict('the connection was lost'))
    stream.on('end', () => this.evict('the worker closed its stream of gradients'))
    return true
  }

  /** @throws ProtocolError when the manifest was fetched before. */
  fetchesManifest(): void {
    if (this.#hasManifest) throw new ProtocolError('FetchManifest came twice')
    this.#hasManifest = true
  }

  /** Requests for images are answered one after the other: a worker that does not take them holds one image in memory. */
  inTurn(action: () => Promise<void>): Promise<void> {
    return this.#images.take(action)
  }

  get canReceiveWeights(): boolean {
    return this.#weights !== undefined
  }

  get backlogBytes(): number {
    return backlogOf(this.#weights)
  }

  send(message: CoordinatorMessage): void {
    this.#control.write(message)
  }

  sendWeights(chunk: WeightsChunk): void {
    this.bytesSent += payloadBytes(chunk)
    this.#weights?.write(chunk)
  }

  /** Lets go of its memory: it is no member any more. */
  close(): void {
    this.#offered?.close()
    this.#offered = undefined
  }

  /** Says the last word and closes both streams. */
  end(message: CoordinatorMessage): void {
    this.send(message)
    this.#control.end()
    this.#weights?.end()
  }
}
