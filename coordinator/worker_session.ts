import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js'
import { type z } from 'zod'
import { chunkRanges } from '../shared/train/chunk_sum.ts'
import type { engineInfoSchema, CoordinatorMessage, Deal, WeightsChunk } from '../shared/wire/messages.ts'
import { bytesOf } from '../shared/wire/floats.ts'
import type { Range } from './step_reduce.ts'

export type ControlStream = ServerDuplexStream<unknown, CoordinatorMessage>
export type WeightsStream = ServerWritableStream<unknown, WeightsChunk>

/** What a worker has told of itself. */
export interface WorkerFacts {
  engine: z.infer<typeof engineInfoSchema>
  fingerprint: string
  datasetDigest: string
}

/** A partial that is on its way. */
export interface Upload {
  round: number
  node: number
  attempt: number
  received: number
}

/** One worker's membership: its streams, and what is known of it. Opens with Hello, is a member from Ready on. */
export class WorkerSession {
  /** Secret of this membership. */
  readonly id: string
  /** Unique among members: the name that the worker gave, numbered if it is taken. */
  readonly name: string
  facts: WorkerFacts | undefined
  upload: Upload | undefined
  residentBytes = 0
  bytesReceived = 0
  bytesSent = 0
  /** It joined while a step was being reduced, and gets the new weights whole when that step is committed. */
  joinedLate = false
  readonly #control: ControlStream
  #weights: WeightsStream | undefined

  constructor(id: string, name: string, control: ControlStream) {
    this.id = id
    this.name = name
    this.#control = control
  }

  attachWeights(stream: WeightsStream): void {
    this.#weights = stream
  }

  get canReceiveWeights(): boolean {
    return this.#weights !== undefined
  }

  /** Bytes of weights that wait for the worker to take them. */
  get backlogBytes(): number {
    return (this.#weights?.writableLength ?? 0) * bytesPerQueuedMessage
  }

  send(message: CoordinatorMessage): void {
    this.#control.write(message)
  }

  deal(deal: Deal): void {
    this.send({ message: 'deal', deal })
  }

  /** Queues one chunk; the data must not change afterwards. */
  sendWeights(chunk: WeightsChunk): void {
    this.bytesSent += chunk.data.length
    this.#weights?.write(chunk)
  }

  /** Sends a whole vector of weights. */
  sendAllWeights(version: number, parameters: Float32Array): void {
    for (const range of chunkRanges(parameters.length)) this.sendWeights(weightsChunk(version, range, parameters.subarray(range.begin, range.end)))
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

/** A copy, since the model's memory is written again before a slow worker may have taken the chunk. */
export function weightsChunk(version: number, range: Range, values: Float32Array): WeightsChunk {
  return { version, offset: range.begin, data: Buffer.from(bytesOf(values)) }
}
