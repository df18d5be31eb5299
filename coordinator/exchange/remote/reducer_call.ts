import { randomBytes } from 'node:crypto'
import { status, type ServerDuplexStream } from '@grpc/grpc-js'
import { messageOf, ProtocolError } from '../../../shared/kit/errors.ts'
import { checked, PROTOCOL_VERSION, reducerMessageSchema, type ReducerMessage, type ReductionMessage } from '../../../shared/wire/messages.ts'
import { failCall } from '../../port/call_status.ts'
import { hostOf, type Connections } from '../../port/connections.ts'
import type { Range } from '../../../shared/vectors/chunks.ts'

export type ReduceStream = ServerDuplexStream<unknown, ReductionMessage>

export interface ReducerSlot {
  /** From 1. */
  number: number
  range: Range
}

export interface ReducerCallParts {
  connections: Connections
  helloMs: number
  /** It has said hello. @returns its place; undefined when no more reducers are wanted */
  takePlace: (reducer: ReducerCall) => ReducerSlot | undefined
  /** It has a place. */
  onPlaced: (reducer: ReducerCall) => void
  onMessage: (reducer: ReducerCall, message: Exclude<ReducerMessage, { message: 'hello' | 'heartbeat' }>) => void
  onLost: (reducer: ReducerCall, reason: string) => void
}

/** A tick that is late by more than this is the coordinator's own fault, and counts for no more as a reducer's silence. */
const LONGEST_TICK_MS = 1000

/** One reducer's membership at the coordinator: its control stream, from hello to its end. */
export class ReducerCall {
  /** Secret of this membership. */
  readonly id = randomBytes(16).toString('hex')
  /** HOST:PORT as it said; without a host, at that which it comes from. */
  address = ''
  readonly #call: ReduceStream
  readonly #parts: ReducerCallParts
  readonly #deadline: NodeJS.Timeout
  readonly #peers: string[] = []
  #slot: ReducerSlot | undefined
  #silentMs = 0
  #over = false

  constructor(call: ReduceStream, parts: ReducerCallParts) {
    this.#call = call
    this.#parts = parts
    this.#deadline = setTimeout(() => this.cut(`no hello came within ${parts.helloMs / 1000} s`), parts.helloMs)
    call.on('data', (raw: unknown) => this.#receive(raw))
    call.on('cancelled', () => this.#finish('the connection was lost'))
    call.on('error', () => this.#finish('the connection was lost'))
    call.on('end', () => {
      call.end()
      this.#finish('it closed the connection')
    })
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

  /** The address where workers of other machines reach it. */
  get reachedAt(): string {
    return this.address.startsWith(':') ? `${hostOf(this.#call.getPeer())}${this.address}` : this.address
  }

  send(message: ReductionMessage): void {
    if (!this.#over) this.#call.write(message)
  }

  /** A connection belongs to it. */
  claim(peer: string): void {
    this.#peers.push(peer)
    this.#parts.connections.claim(peer)
  }

  /** Says the last word. */
  end(message: ReductionMessage): void {
    this.send(message)
    this.#over = true
    clearTimeout(this.#deadline)
    this.#call.end()
  }

  /** Ends the stream with a reason that the reducer is told. */
  cut(reason: string): void {
    if (this.#finish(reason)) failCall(this.#call, status.ABORTED, reason)
  }

  /** Time has passed since the last call of this. @returns for how long nothing was heard of it, in milliseconds */
  silence(sinceMs: number): number {
    return (this.#silentMs += Math.min(sinceMs, LONGEST_TICK_MS))
  }

  #receive(raw: unknown): void {
    if (this.#over) return
    try {
      this.#handle(checked(reducerMessageSchema, raw, 'a message of a reducer'))
    } catch (error) {
      this.cut(messageOf(error))
    }
  }

  #handle(message: ReducerMessage): void {
    this.#silentMs = 0
    if (message.message === 'hello') return this.#greet(message.hello)
    if (this.#slot === undefined) throw new ProtocolError(`${message.message} came before hello`)
    if (message.message !== 'heartbeat') this.#parts.onMessage(this, message)
  }

  #greet({ protocolVersion, address }: { protocolVersion: number; address: string }): void {
    if (this.#slot !== undefined) throw new ProtocolError('hello came twice')
    if (protocolVersion !== PROTOCOL_VERSION) {
      return this.#refuse(`this coordinator speaks protocol version ${PROTOCOL_VERSION}, the reducer ${protocolVersion}: install the same version of Herd on both.`)
    }
    this.#slot = this.#parts.takePlace(this)
    if (this.#slot === undefined) return this.#refuse('this run has all the reducers that it wants.')
    clearTimeout(this.#deadline)
    this.address = address
    this.claim(this.#call.getPeer())
    this.#parts.onPlaced(this)
  }

  #refuse(reason: string): void {
    this.end({ message: 'refused', refused: { reason } })
  }

  #finish(reason: string): boolean {
    if (this.#over) return false
    this.#over = true
    clearTimeout(this.#deadline)
    for (const peer of this.#peers) this.#parts.connections.release(peer)
    if (this.#slot !== undefined) this.#parts.onLost(this, reason)
    return true
  }
}
