import { Metadata, status, type ServerWritableStream } from '@grpc/grpc-js'
import type { RunBrief } from '../../live/view.ts'
import { failCall } from '../port/call_status.ts'
import type { Connections } from '../port/connections.ts'

type WatchCall = ServerWritableStream<unknown, { json: string }>

interface Watcher {
  call: WatchCall
  peer: string
  timer: NodeJS.Timeout
  /** Number of briefs in a row that were not sent, because the one before was still queued. */
  held: number
}

const MAX_WATCHERS = 16
/** Limits of the interval that a watcher may ask for. */
const INTERVAL_MS = { min: 250, max: 3_600_000 }
/** A watcher that does not read is sent nothing more, and is disconnected after this many briefs. */
const MAX_HELD = 20

/** The clients that watch the run, `herd top`: each is sent a brief of the run's state at its interval, until the run ends. */
export class Watchers {
  readonly #brief: () => RunBrief | undefined
  readonly #connections: Pick<Connections, 'claim' | 'release'>
  readonly #watchers = new Set<Watcher>()

  constructor(brief: () => RunBrief | undefined, connections: Pick<Connections, 'claim' | 'release'>) {
    this.#brief = brief
    this.#connections = connections
  }

  /** Adds a watcher, and sends it the first brief at once. If there are too many watchers, the call is ended with an error. */
  add(call: WatchCall, intervalMs: number): void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      return failCall(call, status.RESOURCE_EXHAUSTED, `${MAX_WATCHERS} watch this run already, and no more may: end one of them first.`)
    }
    if (call.cancelled) return
    const interval = Math.min(INTERVAL_MS.max, Math.max(INTERVAL_MS.min, intervalMs))
    const watcher: Watcher = { call, peer: call.getPeer(), timer: setInterval(() => this.#tell(watcher), interval), held: 0 }
    this.#watchers.add(watcher)
    this.#connections.claim(watcher.peer)
    call.on('cancelled', () => this.#remove(watcher))
    call.on('close', () => this.#remove(watcher))
    call.on('error', () => this.#remove(watcher))
    // The headers tell the client that it is connected, before there is a brief to send.
    call.sendMetadata(new Metadata())
    this.#tell(watcher)
  }

  /** Ends all calls, each with a last brief. */
  close(): void {
    for (const watcher of [...this.#watchers]) {
      const brief = this.#brief()
      this.#remove(watcher)
      if (brief !== undefined) watcher.call.write({ json: JSON.stringify(brief) })
      watcher.call.end()
    }
  }

  #tell(watcher: Watcher): void {
    const { call } = watcher
    const brief = this.#brief()
    if (brief === undefined) return
    // A brief that is not sent is not kept either: the next one has everything that it has.
    if (call.writableLength > 0) {
      if (++watcher.held >= MAX_HELD) this.#cut(watcher)
      return
    }
    watcher.held = 0
    call.write({ json: JSON.stringify(brief) })
  }

  #cut(watcher: Watcher): void {
    this.#remove(watcher)
    failCall(watcher.call, status.RESOURCE_EXHAUSTED, `none of the last ${MAX_HELD} briefs could be sent: they are not read.`)
  }

  #remove(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return
    clearInterval(watcher.timer)
    this.#connections.release(watcher.peer)
  }
}
