import { pack } from 'msgpackr'
import type { WebSocket } from 'ws'
import type { LiveMessage, RunPatch, RunView } from './view.ts'

export interface AudienceLimits {
  viewers: number
  /** Most bytes that may wait to be sent to a viewer, besides the last full message. */
  untakenBytes: number
  /** Interval between pings; a viewer that has not answered one by the next is dropped. */
  pingMs: number
}

interface Viewer {
  socket: WebSocket
  /** Number of runs in the last full message to it. */
  runs: number
  /** Bytes of the last message with all runs, which may be large. */
  fullBytes: number
  answered: boolean
}

/** Close code of RFC 6455 for a peer that did something it must not do. */
const POLICY_VIOLATION = 1008

/**
 * The pages that watch the runs. Each message is packed once, for all of them; a page that does not take its messages is
 * dropped, so that they do not fill the memory, and connects anew when it can.
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

  /** Adds a page that has connected, and sends it all runs first. */
  welcome(socket: WebSocket): void {
    const viewer: Viewer = { socket, runs: 0, fullBytes: 0, answered: true }
    this.#viewers.add(viewer)
    socket.on('close', () => this.#viewers.delete(viewer))
    // Errors are messages that break the protocol or are too large; the connection closes after them.
    socket.on('error', () => undefined)
    socket.on('message', () => socket.close(POLICY_VIOLATION, 'a page sends nothing'))
    socket.on('pong', () => (viewer.answered = true))
    this.#sendAll(viewer)
  }

  /** Sends a patch to all pages. @param patch already applied to the source's `runs()` */
  tell(run: number, patch: RunPatch): void {
    if (this.#viewers.size === 0) return
    const message = pack({ type: 'patch', run, patch } satisfies LiveMessage)
    for (const viewer of this.#viewers) {
      if (viewer.socket.bufferedAmount > viewer.fullBytes + this.#limits.untakenBytes) viewer.socket.terminate()
      // The page connected while this run was being prepared.
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

  /** Finds pages that are gone without closing the connection: a laptop that was shut, a network that was left. */
  #ping(): void {
    for (const viewer of this.#viewers) {
      if (!viewer.answered) viewer.socket.terminate()
      viewer.answered = false
      viewer.socket.ping()
    }
  }
}
