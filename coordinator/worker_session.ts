import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js'
import type { CoordinatorMessage, WeightsChunk } from '../shared/wire/messages.ts'
import type { Member, WorkerFacts } from './member.ts'

export type ControlStream = ServerDuplexStream<unknown, CoordinatorMessage>
export type WeightsStream = ServerWritableStream<unknown, WeightsChunk>

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
  #weights: WeightsStream | undefined

  /** @param parts.evict ends the control stream with a reason. */
  constructor(parts: { id: string; name: string; instance: string; control: ControlStream; evict: (reason: string) => void }) {
    this.id = parts.id
    this.name = parts.name
    this.instance = parts.instance
    this.#control = parts.control
    this.evict = parts.evict
  }

  attachWeights(stream: WeightsStream): void {
    this.#weights = stream
  }

  get canReceiveWeights(): boolean {
    return this.#weights !== undefined
  }

  get backlogBytes(): number {
    return (this.#weights?.writableLength ?? 0) * bytesPerQueuedMessage
  }

  send(message: CoordinatorMessage): void {
    this.#control.write(message)
  }

  sendWeights(chunk: WeightsChunk): void {
    this.bytesSent += chunk.data.length
    this.#weights?.write(chunk)
  }

  /** Says the last word and closes both streams. */
  end(message: CoordinatorMessage): void {
    this.send(message)
    this.#control.end()
    this.#weights?.end()
  }
}

/** Object streams count messages, of about a chunk each. */
const bytesPerQueuedMessage = 1024 * 1024
