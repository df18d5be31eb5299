import type { ReducerMessage, ReductionMessage, StateChunk } from '../shared/wire/messages.ts'
import type { Claims } from '../coordinator/exchange/worker_streams.ts'
import type { ReducerSession } from './session.ts'

/** A reducer's connection to a coordinator, whatever the transport. One link is one membership: a lost link is not opened again. */
export interface ReducerLink {
  /** Settles when the link is over: with the reason of its loss, or with an error if trying again would be useless. */
  readonly lost: Promise<string>
  send(message: ReducerMessage): void
  /** Fetches the state with which the reducer of this session begins. @throws RunError if it does not come; ProtocolError if it is invalid */
  fetchState(session: string): AsyncIterable<StateChunk>
  /** Sends a state; settles when all its chunks are written. */
  sendState(chunks: Iterable<StateChunk>): Promise<void>
  /** Ends the link. */
  close(): void
}

/** Opens a link. `onMessage` gets only messages that have passed the schema. */
export type ConnectReducer = (onMessage: (message: ReductionMessage) => void) => ReducerLink

/** A reducer's port for workers. */
export interface WorkersPort {
  readonly connections: Claims
  /** Session of the present run; undefined while there is none. */
  session: ReducerSession | undefined
}
