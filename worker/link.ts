import type { ManifestPart } from '../shared/data/manifest.ts'
import type { CoordinatorMessage, GradientChunk, StateChunk, Welcome, WeightsChunk, WorkerMessage } from '../shared/wire/messages.ts'
import type { Payload } from '../shared/wire/payload.ts'

/** A chunk of weights as it arrived: its bytes are in the message, or still in shared memory. */
export type ArrivedWeights = Omit<WeightsChunk, 'data' | 'shared'> & { data: Payload }

/** A worker's connection to a coordinator, independent of the transport. One link serves one membership: a link that is lost is never used again. */
export interface Link {
  /** Settles when the link is over: resolves to the reason for which it was lost, or rejects with a ProtocolError if the coordinator broke the protocol. */
  readonly lost: Promise<string>
  /** Bytes of gradients sent so far, through shared memory too. */
  readonly bytesSent: number
  /** Bytes of weights and images received so far, through shared memory too. */
  readonly bytesReceived: number
  send(message: WorkerMessage): void
  /** Opens the bulk streams of a session: to the reducers that the welcome names or, if it names none, to the coordinator. */
  openBulk(welcome: Welcome, onWeights: (chunk: ArrivedWeights) => void): void
  /** Sends one chunk of a partial (a gradient sum over a subtree of lanes) to the reducer of its range. Settles when that reducer can take more. */
  sendGradient(chunk: Omit<GradientChunk, 'session' | 'shared'>): Promise<void>
  /** Fetches the manifest of the data set in parts. @param ownCopy true for what a worker with a copy of the data set needs, which is little */
  fetchManifest(ownCopy: boolean): AsyncIterable<ManifestPart>
  /** Fetches the frozen parameters, in chunks. */
  fetchFrozen(): AsyncIterable<StateChunk>
  /** Fetches the original image files of samples, and yields them as they arrive. */
  fetchImages(samples: readonly number[]): AsyncIterable<{ sample: number; data: Buffer }>
  /** Ends the link; messages that were written before are still sent. */
  close(): Promise<void>
}

/** Opens a link. Messages of the coordinator are checked against their schemas before `onMessage` gets them. */
export type Connect = (onMessage: (message: CoordinatorMessage) => void) => Link
