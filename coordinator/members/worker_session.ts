import { ProtocolError } from '../../shared/kit/errors.ts'
import type { MemoryFile } from '../../shared/kit/memory_file.ts'
import { Turns } from '../../shared/kit/async.ts'
import type { CoordinatorMessage, GradientChunk, WeightsChunk, WorkerMessage } from '../../shared/wire/messages.ts'
import type { Member, WorkerFacts } from '../contract/member.ts'
import { WorkerStreams, type BulkSession, type Claims, type GradientsStream, type WeightsStream } from '../exchange/worker_streams.ts'
import type { MemberControl } from '../protocol/control.ts'

export interface WorkerSessionParts {
  /** Secret of this membership. */
  id: string
  /** Unique among members: the name that the worker gave, numbered if it is taken. */
  name: string
  /** Random, of the worker's process. */
  instance: string
  control: Pick<MemberControl<WorkerMessage, CoordinatorMessage>, 'send' | 'cut'>
  connections: Claims
  /** Takes a gradient chunk of a member. @throws ProtocolError when it is not as it should be */
  onGradient: (member: Member, chunk: GradientChunk) => void
}

/** One worker's membership: its streams, and what is known of it. Opens with Hello, is a member from Ready on. */
export class WorkerSession implements Member, BulkSession {
  readonly id: string
  readonly name: string
  readonly instance: string
  readonly streams: WorkerStreams
  /** Requests for images are answered one after the other: a worker that does not take them holds one image in memory. */
  readonly images = new Turns()
  facts: WorkerFacts | undefined
  residentBytes = 0
  readonly #parts: WorkerSessionParts
  /** The file that it was offered for its gradients. */
  #offered: MemoryFile | undefined
  #sharesMemory = false

  constructor(parts: WorkerSessionParts) {
    this.#parts = parts
    this.id = parts.id
    this.name = parts.name
    this.instance = parts.instance
    this.streams = new WorkerStreams(parts.connections)
  }

  get bytesReceived(): number {
    return this.streams.received
  }

  get bytesSent(): number {
    return this.streams.sent
  }

  get backlogBytes(): number {
    return this.streams.backlogBytes
  }

  /** A file for its gradients, which is closed with the session. */
  offerMemory(gradients: MemoryFile): void {
    this.#offered = gradients
  }

  get memory(): MemoryFile | undefined {
    return this.#sharesMemory ? this.#offered : undefined
  }

  /** @throws ProtocolError when there is one already, or memory is shared that was not offered. */
  attachWeights(stream: WeightsStream, sharesMemory: boolean): void {
    if (sharesMemory && this.#offered === undefined) throw new ProtocolError('a worker shares memory that it was not offered')
    this.streams.attachWeights(stream)
    this.#sharesMemory = sharesMemory
  }

  receive(stream: GradientsStream, chunk: GradientChunk): boolean {
    if (this.facts === undefined) throw new ProtocolError('a gradient chunk of no member')
    const isNew = this.streams.onGradient(stream, chunk)
    this.#parts.onGradient(this, chunk)
    return isNew
  }

  send(message: CoordinatorMessage): void {
    this.#parts.control.send(message)
  }

  sendWeights(chunk: WeightsChunk): void {
    this.streams.sendWeights(chunk)
  }

  evict(reason: string): void {
    this.#parts.control.cut(reason)
  }

  /** Lets go of its streams and its memory: it is no member any more. */
  close(): void {
    this.streams.close()
    this.#offered?.close()
    this.#offered = undefined
  }
}
