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
  /** How many runs it knows of. */
  runs: number
  /** Of the last message with everything, which may be large. */
  fullBytes: number
  answered: boolean
}

/** RFC 6455: the other side did what it must not do. */
const POLICY_VIOLATION = 1008

/**
 * The pages that look on. Each message is packed once, for all of them; a page that does not take its messages is dropped
 * rather than kept in memory, and connects anew when it can.
 */
export class Audience {
  readonly #source: { readonly live: boolean; runs(): RunView[] }
  readonly #limits: AudienceLimits
  readonly #viewers = new Set<Viewer>()
  readonly #pings: NodeJS.Timeout

  constructor(source: { readonly live: boolean; runs(): RunView[] }, limits: AudienceLimits) {
    this.#source = source
    this.#limits = limits
    this.#pings = setInterval(() => this.#ping(), limits.pingMs).unref()
  }

  get isFull(): boolean {
    return this.#viewers.size >= this.#limits.viewers
  }

  /** A page that has connected: it gets everything first. */
  welcome(socket: WebSocket): void {
    const viewer: Viewer = { socket, runs: 0, fullBytes: 0, answered: true }
    this.#viewers.add(viewer)
    socket.on('close', () => this.#viewers.delete(viewer))
    // What breaks the protocol, or is too large: the connection then closes.
    socket.on('error', () => undefined)
    socket.on('message', () => socket.close(POLICY_VIOLATION, 'a page sends nothing'))
    socket.on('pong', () => (viewer.answered = true))
    this.#sendAll(viewer)
  }

  /** @param patch is in `runs()` already */
  tell(run: number, patch: RunPatch): void {
    if (this.#viewers.size === 0) return
    const message = pack({ type: 'patch', run, patch } satisfies LiveMessage)
    for (const viewer of this.#viewers) {
      if (viewer.socket.bufferedAmount > viewer.fullBytes + this.#limits.untakenBytes) viewer.socket.terminate()
      // It came while the run was being prepared.
      else if (run >= viewer.runs) this.#sendAll(viewer)
      else viewer.socket.send(message)
    }
  }

  close(): void {
    clearInterval(this.#pings)
    for (const { socket } of this.#viewers) socket.terminate()
  }

  #sendAll(viewer: Viewer): void {
    const runs = this.#source.runs()
    const message = pack({ type: 'runs', live: this.#source.live, runs } satisfies LiveMessage)
    viewer.runs = runs.length
    viewer.fullBytes = message.length
    viewer.socket.send(message)
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
