import { pack } from 'msgpackr'
import type { WebSocket } from 'ws'
import type { LiveMessage, RunPatch, RunView } from './view.ts'

export interface AudienceLimits {
  viewers: number
  /** How much a viewer may leave untaken, besides the first message. */
  untakenBytes: number
  /** A viewer that has not answered a ping until the next one is gone. */
  pingMs: number
}

interface Viewer {
  socket: WebSocket
  /** Of its first message, which may be large. */
  firstBytes: number
  answered: boolean
}

/** RFC 6455: the other side did what it must not do. */
const POLICY_VIOLATION = 1008

/**
 * The pages that look on. Each message is packed once, for all of them; a page that does not take its messages is dropped
 * rather than kept in memory, and connects anew when it can.
 */
export class Audience {
  readonly #limits: AudienceLimits
  readonly #viewers = new Set<Viewer>()
  readonly #pings: NodeJS.Timeout

  constructor(limits: AudienceLimits) {
    this.#limits = limits
    this.#pings = setInterval(() => this.#ping(), limits.pingMs).unref()
  }

  get isFull(): boolean {
    return this.#viewers.size >= this.#limits.viewers
  }

  /** A page that has connected: it gets everything first. No patch may come in between. */
  welcome(socket: WebSocket, live: boolean, runs: RunView[]): void {
    const first = pack({ type: 'runs', live, runs } satisfies LiveMessage)
    const viewer: Viewer = { socket, firstBytes: first.length, answered: true }
    this.#viewers.add(viewer)
    socket.on('close', () => this.#viewers.delete(viewer))
    // What breaks the protocol, or is too large: the connection then closes.
    socket.on('error', () => undefined)
    socket.on('message', () => socket.close(POLICY_VIOLATION, 'a page sends nothing'))
    socket.on('pong', () => (viewer.answered = true))
    socket.send(first)
  }

  tell(run: number, patch: RunPatch): void {
    if (this.#viewers.size === 0) return
    const message = pack({ type: 'patch', run, patch } satisfies LiveMessage)
    for (const { socket, firstBytes } of this.#viewers) {
      if (socket.bufferedAmount > firstBytes + this.#limits.untakenBytes) socket.terminate()
      else socket.send(message)
    }
  }

  close(): void {
    clearInterval(this.#pings)
    for (const { socket } of this.#viewers) socket.terminate()
  }

  /** Finds those that are gone without a word: a laptop that was shut, a network that was left. */
  #ping(): void {
    for (const viewer of this.#viewers) {
      if (!viewer.answered) viewer.socket.terminate()
      viewer.answered = false
      viewer.socket.ping()
    }
  }
}
