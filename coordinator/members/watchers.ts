import { Metadata, status, type ServerWritableStream } from '@grpc/grpc-js'
import type { RunBrief } from '../../live/view.ts'
import { failCall } from '../port/call_status.ts'
import type { Connections } from '../port/connections.ts'

type WatchCall = ServerWritableStream<unknown, { json: string }>

interface Watcher {
  call: WatchCall
  peer: string
  timer: NodeJS.Timeout
  /** Briefs in a row that could not be sent, since the one before had not gone. */
  held: number
}

const MAX_WATCHERS = 16
/** Limits on how often somebody wants to know. */
const INTERVAL_MS = { min: 250, max: 3_600_000 }
/** Whoever does not read is sent nothing more, and after so many briefs cut off. */
const MAX_HELD = 20

/** Who watches the run by `herd top`: is sent how it is, again and again, until it ends. */
export class Watchers {
  readonly #brief: () => RunBrief | undefined
  readonly #connections: Pick<Connections, 'claim' | 'release'>
  readonly #watchers = new Set<Watcher>()

  constructor(brief: () => RunBrief | undefined, connections: Pick<Connections, 'claim' | 'release'>) {
    this.#brief = brief
    this.#connections = connections
  }

  /** Sends the first brief at once. A call that is one too many is ended. */
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
    // Tells that somebody listens here, before there is anything to see.
    call.sendMetadata(new Metadata())
    this.#tell(watcher)
  }

  /** Ends them all, with a last brief. */
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
    // What is not sent is not kept either: the next brief has all that this one has.
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
