import { ProtocolError } from '../shared/kit/errors.ts'
import type { GradientChunk, WeightsChunk } from '../shared/wire/messages.ts'
import type { Receiver } from '../coordinator/exchange/range_reducer.ts'
import { WorkerStreams, type BulkSession, type Claims, type GradientsStream, type WeightsStream } from '../coordinator/exchange/worker_streams.ts'

export interface AdmittedWorkerParts {
  /** Secret session id of the worker's membership. */
  id: string
  connections: Claims
  /** Called when the worker has opened its stream of weights. */
  onWeights: (worker: AdmittedWorker) => void
  /** Takes a gradient chunk. @throws ProtocolError if the chunk is invalid */
  onGradient: (worker: AdmittedWorker, chunk: GradientChunk) => void
  /** Called once, with the reason why the session cannot continue. */
  onBroken: (reason: string) => void
}

/** A worker's session at a reducer, from the coordinator's message `admit` to its message `dismissed`. */
export class AdmittedWorker implements Receiver, BulkSession {
  readonly id: string
  readonly streams: WorkerStreams
  /** True once the coordinator has said that the worker may have the weights. */
  isMember = false
  readonly #parts: AdmittedWorkerParts
  /** Chunk that has come before the coordinator's message that its step begins. */
  #early: GradientChunk | undefined
  #over = false

  constructor(parts: AdmittedWorkerParts) {
    this.#parts = parts
    this.id = parts.id
    this.streams = new WorkerStreams(parts.connections)
  }

  get backlogBytes(): number {
    return this.streams.backlogBytes
  }

  sendWeights(chunk: WeightsChunk): void {
    this.streams.sendWeights(chunk)
  }

  evict(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#parts.onBroken(reason)
  }

  /** @throws ProtocolError if there is a stream already, or the worker shares memory, which a reducer never offers */
  attachWeights(stream: WeightsStream, sharesMemory: boolean): void {
    if (sharesMemory) throw new ProtocolError('a worker shares memory that it was not offered')
    this.streams.attachWeights(stream)
    this.#parts.onWeights(this)
  }

  receive(stream: GradientsStream, chunk: GradientChunk): boolean {
    const isNew = this.streams.onGradient(stream, chunk)
    this.#parts.onGradient(this, chunk)
    return isNew
  }

  /** Keeps an early chunk, and stops reading until `release`. @throws ProtocolError if there is one already */
  hold(chunk: GradientChunk): void {
    if (this.#early !== undefined) throw new ProtocolError('gradient chunks came out of order')
    this.#early = chunk
    this.streams.pause()
  }

  /** Resumes reading. @returns the early chunk, if there is one */
  release(): GradientChunk | undefined {
    const early = this.#early
    this.#early = undefined
    if (early !== undefined) this.streams.resume()
    return early
  }

  /** Ends the session and its streams. */
  close(): void {
    this.#over = true
    this.streams.close()
  }
}
