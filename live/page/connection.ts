import { unpack } from 'msgpackr/unpack'
import type { LiveMessage } from '../view.ts'
import { fetchAccess } from './api.ts'

export type ConnectionState =
  | { state: 'connecting' }
  | { state: 'connected' }
  /** `since`: when the connection was lost; `nextAttempt`: when the next attempt is made. */
  | { state: 'disconnected'; since: Date; nextAttempt: Date }
  | { state: 'token needed' }

export interface ConnectionEvents {
  onMessage(message: LiveMessage): void
  onState(state: ConnectionState): void
}

/** Pauses between attempts double from short ones, for a coordinator that restarts, to long ones, which burden nobody. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000

/** The WebSocket to the server. It reconnects by itself, with growing pauses. */
export class Connection {
  readonly #events: ConnectionEvents
  #pauseMs = FIRST_PAUSE_MS
  #disconnectedSince: Date | undefined
  #timer: number | undefined
  #attempting = false
  #socket: WebSocket | undefined

  constructor(events: ConnectionEvents) {
    this.#events = events
    events.onState({ state: 'connecting' })
    // A laptop that wakes up, or finds its network again, reconnects without waiting for the pause to end.
    window.addEventListener('online', () => this.#attemptNow())
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.#attemptNow())
    this.connect()
  }

  /** Connects, unless there is a connection; called again after the token has been given. */
  connect(): void {
    if (this.#socket !== undefined) return
    this.#timer = undefined
    this.#attempting = true
    fetchAccess().then(
      (access) => {
        if (access !== 'token needed') return this.#open()
        this.#attempting = false
        this.#events.onState({ state: 'token needed' })
      },
      () => this.#lost(),
    )
  }

  #attemptNow(): void {
    if (this.#timer === undefined || this.#attempting) return
    window.clearTimeout(this.#timer)
    this.connect()
  }

  #open(): void {
    const url = new URL('live', document.baseURI)
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new WebSocket(url)
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
      this.#nowConnected()
      this.#events.onMessage(unpack(new Uint8Array(data)) as LiveMessage)
    })
    socket.addEventListener('close', () => this.#lost())
  }

  /** Called for the first message, not for the handshake: a server that accepts a connection and sends nothing does not count. */
  #nowConnected(): void {
    if (!this.#attempting) return
    this.#attempting = false
    this.#pauseMs = FIRST_PAUSE_MS
    this.#disconnectedSince = undefined
    this.#events.onState({ state: 'connected' })
  }

  #lost(): void {
    this.#socket = undefined
    this.#attempting = false
    this.#disconnectedSince ??= new Date()
    const nextAttempt = new Date(Date.now() + this.#pauseMs)
    this.#timer = window.setTimeout(() => this.connect(), this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
    this.#events.onState({ state: 'disconnected', since: this.#disconnectedSince, nextAttempt })
  }
}
