import type { ReducerMessage, ReductionMessage, StateChunk } from '../shared/wire/messages.ts'
import type { Claims } from '../coordinator/exchange/worker_streams.ts'
import type { ReducerSession } from './session.ts'

/** A reducer's way to a coordinator, whatever carries it. One link is one membership: what is lost stays lost. */
export interface ReducerLink {
  /** Settles when the link is over: with the reason it was lost, or an error when trying again would be in vain. */
  readonly lost: Promise<string>
  send(message: ReducerMessage): void
  /** The state that the reducer of this session begins with. */
  fetchState(session: string): AsyncIterable<StateChunk>
  /** Sends a state; settles when it is on its way. */
  sendState(chunks: Iterable<StateChunk>): Promise<void>
  /** Ends the link. */
  close(): void
}

/** Opens a link; messages are checked before they are handed on. */
export type ConnectReducer = (onMessage: (message: ReductionMessage) => void) => ReducerLink

/** A reducer's port for workers. */
export interface WorkersPort {
  readonly connections: Claims
  /** What is reduced now. */
  session: ReducerSession | undefined
}
