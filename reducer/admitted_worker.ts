import { ProtocolError } from '../shared/kit/errors.ts'
import type { GradientChunk, WeightsChunk } from '../shared/wire/messages.ts'
import type { Receiver } from '../coordinator/exchange/range_reducer.ts'
import { WorkerStreams, type BulkSession, type Claims, type GradientsStream, type WeightsStream } from '../coordinator/exchange/worker_streams.ts'

export interface AdmittedWorkerParts {
  /** Secret of the worker's membership. */
  id: string
  connections: Claims
  /** It has opened its stream of weights. */
  onWeights: (worker: AdmittedWorker) => void
  /** @throws ProtocolError when the chunk is not as it should be */
  onGradient: (worker: AdmittedWorker, chunk: GradientChunk) => void
  /** Is told once why the session cannot go on. */
  onBroken: (reason: string) => void
}

/** A worker's session at a reducer, from the coordinator's word that it may call until the word that it is over. */
export class AdmittedWorker implements Receiver, BulkSession {
  readonly id: string
  readonly streams: WorkerStreams
  /** The coordinator says that it may have the weights. */
  isMember = false
  readonly #parts: AdmittedWorkerParts
  /** Came before the coordinator's word that its step begins. */
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

  /** @throws ProtocolError when there is one already, or memory is shared: a reducer offers none. */
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

  /** Keeps a chunk for later, and takes no more until then. */
  hold(chunk: GradientChunk): void {
    if (this.#early !== undefined) throw new ProtocolError('gradient chunks came out of order')
    this.#early = chunk
    this.streams.pause()
  }

  /** @returns what was held, if anything was; more comes again */
  release(): GradientChunk | undefined {
    const early = this.#early
    this.#early = undefined
    if (early !== undefined) this.streams.resume()
    return early
  }

  /** The session is over. */
  close(): void {
    this.#over = true
    this.streams.close()
  }
}
