import { ProtocolError } from '../../shared/kit/errors.ts'
import type { MemoryFile } from '../../shared/kit/memory_file.ts'
import { Turns } from '../../shared/kit/async.ts'
import type { CoordinatorMessage, GradientChunk, WeightsChunk, WorkerMessage } from '../../shared/wire/messages.ts'
import type { Identity, IdentityBy, Member, WorkerFacts } from '../contract/member.ts'
import { WorkerStreams, type BulkSession, type Claims, type GradientsStream, type WeightsStream } from '../exchange/worker_streams.ts'
import type { MemberControl } from '../protocol/control.ts'

export interface WorkerSessionParts extends Identity {
  /** Secret session id of this membership. */
  id: string
  /** Name, unique among members: the one that the worker gave, numbered if it is taken. */
  name: string
  /** Time of hello, in milliseconds on a monotonic clock. */
  openedAt: number
  /** Random id of the worker's process. */
  instance: string
  control: Pick<MemberControl<WorkerMessage, CoordinatorMessage>, 'send' | 'cut'>
  connections: Claims
  /** Takes a gradient chunk of a member. @throws ProtocolError if the chunk is invalid */
  onGradient: (member: Member, chunk: GradientChunk) => void
}

/** One worker's session: its streams, and the facts known about it. It opens with Hello; the worker is a member from Ready on. */
export class WorkerSession implements Member, BulkSession {
  readonly id: string
  readonly name: string
  readonly identity: string
  readonly identityBy: IdentityBy
  readonly openedAt: number
  readonly instance: string
  readonly streams: WorkerStreams
  /** Requests for images, answered one after the other: a worker that does not read them keeps only one image in memory. */
  readonly images = new Turns()
  facts: WorkerFacts | undefined
  residentBytes = 0
  /** True once a chunk of a gradient has come from it. */
  gaveGradients = false
  readonly #parts: WorkerSessionParts
  /** Shared-memory file that the worker was offered for its gradients. */
  #offered: MemoryFile | undefined
  #sharesMemory = false

  constructor(parts: WorkerSessionParts) {
    this.#parts = parts
    this.id = parts.id
    this.name = parts.name
    this.identity = parts.identity
    this.identityBy = parts.identityBy
    this.openedAt = parts.openedAt
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

  /** Takes the shared-memory file that is offered to the worker for its gradients; it is closed with the session. */
  offerMemory(gradients: MemoryFile): void {
    this.#offered = gradients
  }

  get memory(): MemoryFile | undefined {
    return this.#sharesMemory ? this.#offered : undefined
  }

  /** @throws ProtocolError if there is a stream already, or the worker shares memory that it was not offered */
  attachWeights(stream: WeightsStream, sharesMemory: boolean): void {
    if (sharesMemory && this.#offered === undefined) throw new ProtocolError('a worker shares memory that it was not offered')
    this.streams.attachWeights(stream)
    this.#sharesMemory = sharesMemory
  }

  receive(stream: GradientsStream, chunk: GradientChunk): boolean {
    if (this.facts === undefined) throw new ProtocolError('a gradient chunk of no member')
    const isNew = this.streams.onGradient(stream, chunk)
    this.#parts.onGradient(this, chunk)
    this.gaveGradients = true
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

  /** Closes the streams and the shared memory of a worker that is no longer a member. */
  close(): void {
    this.streams.close()
    this.#offered?.close()
    this.#offered = undefined
  }
}
