import { unpack } from 'msgpackr/unpack'
import type { LiveMessage } from '../view.ts'
import { fetchAccess } from './api.ts'

export type ConnectionState =
  | { state: 'connecting' }
  | { state: 'connected' }
  /** Since when nothing has come, and when the next attempt is made. */
  | { state: 'disconnected'; since: Date; nextAttempt: Date }
  | { state: 'token needed' }

export interface ConnectionEvents {
  onMessage(message: LiveMessage): void
  onState(state: ConnectionState): void
}

/** Pauses between attempts: short at first, for a coordinator that restarts; then such that nobody is bothered. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000

/** The WebSocket to the server: comes back by itself, with growing pauses. */
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
    // A laptop that wakes up, or finds its network again, does not wait for the pause to pass.
    window.addEventListener('online', () => this.#attemptNow())
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.#attemptNow())
    this.connect()
  }

  /** Also after the token has been given. */
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
    const url = new URL('/live', location.href)
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

  /** With the first message, not with the handshake: a server that takes a connection and says nothing is none. */
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
