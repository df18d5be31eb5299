import type { Identity } from '../contract/member.ts'
import type { Claims } from '../exchange/worker_streams.ts'
import type { Denial } from '../protocol/control.ts'
import type { JoinPace } from './join_pace.ts'
import { WorkerSession, type WorkerSessionParts } from './worker_session.ts'

export interface SessionsParts {
  /** Largest number of workers that may take part at one time. */
  maximum: number
  connections: Claims
  /** Returns a secret that no session has had. */
  newId: () => string
  /** Returns why an identity may not take part; undefined if it may. */
  exclusionOf?: (who: Identity) => string | undefined
  /** Slows down who joins again and again; undefined: nobody is slowed down. */
  pace?: JoinPace
  /** Milliseconds on a monotonic clock. */
  now?: () => number
}

/** A worker that has said hello. */
export interface Joining extends Pick<WorkerSessionParts, 'name' | 'instance' | 'control' | 'onGradient'> {
  /** HOST:PORT of the worker's control connection. */
  peer: string
  /** Whom the worker has proved to be; undefined: then it is who it says. */
  proven: Identity | undefined
}

/** The sessions of workers that have said hello. */
export class Sessions {
  readonly #parts: SessionsParts
  readonly #open = new Map<string, WorkerSession>()

  constructor(parts: SessionsParts) {
    this.#parts = parts
  }

  /** Opens a session for a worker that has said hello. It replaces an open one of the same worker process. @returns the reason if it may not join */
  open({ name: wanted, instance, control, peer, proven, onGradient }: Joining): WorkerSession | Denial {
    const { maximum, connections, newId, exclusionOf, pace, now } = this.#parts
    if (proven?.identityBy === 'certificate' && wanted !== proven.identity) return { how: 'refused', reason: otherName(wanted, proven.identity) }
    // The old connection can be half open after a network partition: there is no process at its other end.
    for (const session of [...this.#open.values()]) if (session.instance === instance) session.evict('it has joined again')
    const name = this.#uniqueName(wanted)
    const who: Identity = proven ?? { identity: name, identityBy: 'name' }
    const exclusion = exclusionOf?.(who)
    if (exclusion !== undefined) return { how: 'refused', reason: exclusion }
    // The other denials are not for good: the worker tries again.
    const waitMs = pace?.waitMs(who.identity) ?? 0
    if (waitMs > 0) return { how: 'full', reason: `${who.identity} has joined and left again too often without computing anything: it may join again in ${Math.ceil(waitMs / 1000)} s` }
    if (this.#open.size >= maximum) return { how: 'full', reason: `${maximum} workers are in, and --max-workers lets no more in` }
    const session = new WorkerSession({ id: newId(), name, ...who, openedAt: now?.() ?? 0, instance, control, connections, onGradient })
    this.#open.set(session.id, session)
    session.streams.claim(peer)
    return session
  }

  /** Evicts the workers that may no longer take part. To be called now and then. */
  putOut(): void {
    for (const session of [...this.#open.values()]) {
      const reason = this.#parts.exclusionOf?.(session)
      if (reason !== undefined) session.evict(reason)
    }
  }

  readonly get = (id: string): WorkerSession | undefined => this.#open.get(id)

  /** Closes a session. */
  remove(session: WorkerSession): void {
    if (!this.#open.delete(session.id)) return
    const { pace, now } = this.#parts
    pace?.ended(session.identity, { openMs: (now?.() ?? 0) - session.openedAt, gaveGradients: session.gaveGradients })
    session.close()
  }

  #uniqueName(wanted: string): string {
    const taken = new Set([...this.#open.values()].map(({ name }) => name))
    let name = wanted
    for (let number = 2; taken.has(name); number++) name = `${wanted} (${number})`
    return name
  }
}

function otherName(wanted: string, certified: string): string {
  return `its certificate is that of ${certified}, and it calls itself ${wanted}: leave --name out, or give it a certificate of its own (\`herd certs --worker NAME\`).`
}
