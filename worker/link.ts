import type { CoordinatorMessage, GradientChunk, ReducerPlace, WeightsChunk, WorkerMessage } from '../shared/wire/messages.ts'

/** A worker's way to a coordinator, whatever carries it. One link is one membership: what is lost stays lost. */
export interface Link {
  /** Settles when the link is over: with the reason it was lost, or a ProtocolError when the coordinator broke the protocol. */
  readonly lost: Promise<string>
  readonly bytesSent: number
  readonly bytesReceived: number
  send(message: WorkerMessage): void
  /**
   * Opens the bulk streams of a session.
   * @param reducers who sends weights and takes gradients; none where the coordinator does
   */
  openBulk(session: string, reducers: readonly ReducerPlace[], onWeights: (chunk: WeightsChunk) => void): void
  /** Sends one chunk of a partial to whoever reduces it; settles when more may be sent to the same one. */
  sendGradient(chunk: Omit<GradientChunk, 'session'>): Promise<void>
  /** The gzipped manifest of the data set. */
  fetchManifest(): Promise<Buffer>
  /** Original files of samples, as they come. */
  fetchImages(samples: readonly number[]): AsyncIterable<{ sample: number; data: Buffer }>
  /** Ends the link; what was written before is still sent. */
  close(): Promise<void>
}

/** Opens a link; messages are checked before they are handed on. */
export type Connect = (onMessage: (message: CoordinatorMessage) => void) => Link
