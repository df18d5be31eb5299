import { ProtocolError } from '../../../shared/kit/errors.ts'
import type { Range } from '../../../shared/vectors/chunks.ts'
import type { ReducerMessage, ReductionMessage } from '../../../shared/wire/messages.ts'
import { hostOf } from '../../port/connections.ts'
import { MemberControl, type ControlLimits, type ControlOutlet, type Denial } from '../../protocol/control.ts'
import type { Claims } from '../worker_streams.ts'

export interface ReducerSlot {
  /** Number of the reducer, from 1. */
  number: number
  range: Range
}

export interface ReducerControlParts extends Omit<ControlLimits, 'watchMembers'> {
  /** Secret session id of this membership. */
  id: string
  connections: Claims
  /** Assigns a place to a reducer that has said hello. @returns undefined if no more reducers are wanted */
  takePlace: (reducer: ReducerControl) => ReducerSlot | undefined
  /** Called when the reducer has its place. */
  onPlaced: (reducer: ReducerControl) => void
  onMessage: (reducer: ReducerControl, message: Exclude<ReducerMessage, { message: 'hello' | 'heartbeat' }>) => void
  onLost: (reducer: ReducerControl, reason: string) => void
}

/** One reducer's membership at the coordinator, from hello to its end. */
export class ReducerControl extends MemberControl<ReducerMessage, ReductionMessage> {
  readonly #parts: ReducerControlParts
  readonly #peers: string[] = []
  /** HOST:PORT as the reducer has announced it; :PORT means the host from which it connects. */
  address = ''
  #slot: ReducerSlot | undefined

  constructor(outlet: ControlOutlet<ReductionMessage>, parts: ReducerControlParts) {
    super('reducer', outlet, { helloMs: parts.helloMs, silenceMs: parts.silenceMs, watchMembers: true })
    this.#parts = parts
  }

  get id(): string {
    return this.#parts.id
  }

  get number(): number {
    return this.#placed.number
  }

  get range(): Range {
    return this.#placed.range
  }

  get #placed(): ReducerSlot {
    if (this.#slot === undefined) throw new ProtocolError('the reducer has no place')
    return this.#slot
  }

  /** HOST:PORT at which workers on other machines reach the reducer. */
  get reachedAt(): string {
    return this.address.startsWith(':') ? `${hostOf(this.outlet.peer)}${this.address}` : this.address
  }

  /** Assigns a connection to the reducer. @param peer HOST:PORT */
  claim(peer: string): void {
    this.#peers.push(peer)
    this.#parts.connections.claim(peer)
  }

  protected override take(message: ReducerMessage): void {
    if (message.message === 'hello') this.greet(message.hello, () => this.#join(message.hello.address))
    else if (message.message !== 'heartbeat') this.#parts.onMessage(this, message)
  }

  protected override lose(reason: string): void {
    this.#parts.onLost(this, reason)
  }

  protected override release(): void {
    for (const peer of this.#peers) this.#parts.connections.release(peer)
  }

  #join(address: string): Denial | undefined {
    this.#slot = this.#parts.takePlace(this)
    if (this.#slot === undefined) return { how: 'refused', reason: 'this run has all the reducers that it wants.' }
    this.address = address
    this.claim(this.outlet.peer)
    this.#parts.onPlaced(this)
    return undefined
  }
}
