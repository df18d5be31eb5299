import type { ManifestPart } from '../../shared/data/manifest.ts'
import type { MemberHandler } from '../../coordinator/contract/member.ts'
import type { ReducerHub } from '../../coordinator/exchange/remote/hub.ts'
import type { Claims } from '../../coordinator/exchange/worker_streams.ts'
import { WorkerControl } from '../../coordinator/members/control.ts'
import { Sessions } from '../../coordinator/members/sessions.ts'
import { Controls } from '../../coordinator/protocol/controls.ts'
import { HerdError } from '../../shared/kit/errors.ts'
import type { CoordinatorMessage } from '../../shared/wire/messages.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import type { ServerEnd } from './connection.ts'
import type { Network } from './network.ts'
import type { ReducerServerEnd } from './reducer_link.ts'

export interface ServerParts {
  network: Network
  handler: MemberHandler
  run: RunDescription
  manifest: readonly ManifestPart[]
  /** Makes an id that no session of any incarnation of the coordinator has had. */
  newId: () => string
  silenceLimitMs: number
  reducers: ReducerHub | undefined
}

const HELLO_MS = 8000

/** Claims that do nothing: there are no connections to watch, since those of the simulation end by themselves. */
export const noClaims: Claims = { claim: () => undefined, release: () => undefined, widen: () => undefined }

/** The coordinator's port on the simulated network: a shell around the same sessions and memberships as coordinator/members/server.ts. */
export class SimulatedServer {
  readonly #parts: ServerParts
  readonly #sessions: Sessions
  readonly #workers: Controls<CoordinatorMessage>
  #closing = false

  constructor(parts: ServerParts) {
    this.#parts = parts
    this.#sessions = new Sessions({ maximum: Number.POSITIVE_INFINITY, connections: noClaims, newId: parts.newId })
    this.#workers = new Controls(() => parts.network.clock.now)
  }

  /** The coordinator's end for workers; undefined if none is accepted any more. */
  get workers(): ServerEnd | undefined {
    if (this.#closing) return undefined
    const { network, handler, run, manifest, silenceLimitMs, reducers } = this.#parts
    return {
      open: (outlet) => {
        const control = new WorkerControl(outlet, {
          handler: watched(handler, (what) => network.violated(what)), sessions: this.#sessions, runId: 'simulated', run: JSON.stringify(run), helloMs: HELLO_MS, silenceMs: silenceLimitMs,
          ...(reducers === undefined ? {} : { reducers }),
        })
        this.#workers.add(control)
        return control
      },
      bulk: { session: this.#sessions.get, manifest },
    }
  }

  /** The coordinator's end for reducers; undefined if none is accepted any more, or the coordinator reduces itself. */
  get reducers(): ReducerServerEnd | undefined {
    const { reducers } = this.#parts
    if (this.#closing || reducers === undefined) return undefined
    return {
      open: (outlet) => reducers.accept(outlet, noClaims),
      startOf: (session) => reducers.startOf(session, ''),
      receiveState: (chunk) => reducers.receiveState(reducers.reducerOf(chunk.session), chunk),
    }
  }

  tick(): void {
    this.#workers.tick()
    this.#parts.reducers?.watch()
  }

  /** Ends every membership with the message `stop`. */
  close(stop: { finished: boolean; reason: string }): void {
    this.#closing = true
    this.#workers.end({ message: 'stop', stop })
    this.#parts.reducers?.close(stop)
  }
}

/** Wraps a handler so that every error that is not a HerdError, and hence a defect, is reported. */
function watched(handler: MemberHandler, violated: (what: string) => void): MemberHandler {
  const guard = <A extends unknown[], R>(take: (...given: A) => R) => (...given: A): R => {
    try {
      return take(...given)
    } catch (error) {
      if (!(error instanceof HerdError)) violated(`the coordinator failed at a message: ${error instanceof Error ? error.stack : String(error)}`)
      throw error
    }
  }
  return {
    onReady: guard((member) => handler.onReady(member)),
    onHeard: guard((member) => handler.onHeard(member)),
    onComputed: guard((member, lane) => handler.onComputed(member, lane)),
    onAbandoned: guard((member, round) => handler.onAbandoned(member, round)),
    onDraining: guard((member) => handler.onDraining(member)),
    onEvaluation: guard((member, result) => handler.onEvaluation(member, result)),
    onGradient: guard((member, chunk) => handler.onGradient(member, chunk)),
    onChecked: guard((member, checked) => handler.onChecked(member, checked)),
    onSpans: guard((member, spans) => handler.onSpans(member, spans)),
    onClock: guard((member, reading) => handler.onClock(member, reading)),
    onLost: guard((member, reason) => handler.onLost(member, reason)),
  }
}
