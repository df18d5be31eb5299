import type { CoordinatorMessage, GradientChunk, Welcome, WeightsChunk, WorkerMessage } from '../shared/wire/messages.ts'
import type { Payload } from '../shared/wire/payload.ts'

/** A chunk of weights, whose bytes may still be in memory that is shared. */
export type ArrivedWeights = Omit<WeightsChunk, 'data' | 'shared'> & { data: Payload }

/** A worker's way to a coordinator, whatever carries it. One link is one membership: what is lost stays lost. */
export interface Link {
  /** Settles when the link is over: with the reason it was lost, or a ProtocolError when the coordinator broke the protocol. */
  readonly lost: Promise<string>
  readonly bytesSent: number
  readonly bytesReceived: number
  send(message: WorkerMessage): void
  /**
   * Opens the bulk streams of the session that the coordinator welcomes to: with the reducers that it names or, where there are none, itself.
   */
  openBulk(welcome: Welcome, onWeights: (chunk: ArrivedWeights) => void): void
  /** Sends one chunk of a partial to whoever reduces it; settles when more may be sent to the same one. */
  sendGradient(chunk: Omit<GradientChunk, 'session' | 'shared'>): Promise<void>
  /** The gzipped manifest of the data set. */
  fetchManifest(): Promise<Buffer>
  /** Original files of samples, as they come. */
  fetchImages(samples: readonly number[]): AsyncIterable<{ sample: number; data: Buffer }>
  /** Ends the link; what was written before is still sent. */
  close(): Promise<void>
}

/** Opens a link; messages are checked before they are handed on. */
export type Connect = (onMessage: (message: CoordinatorMessage) => void) => Link
