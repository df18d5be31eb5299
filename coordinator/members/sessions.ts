import type { Claims } from '../exchange/worker_streams.ts'
import { WorkerSession, type WorkerSessionParts } from './worker_session.ts'

export interface SessionsParts {
  /** Largest number of workers that may take part at one time. */
  maximum: number
  connections: Claims
  /** Returns a secret that no session has had. */
  newId: () => string
}

/** The sessions of workers that have said hello. */
export class Sessions {
  readonly #parts: SessionsParts
  readonly #open = new Map<string, WorkerSession>()

  constructor(parts: SessionsParts) {
    this.#parts = parts
  }

  get maximum(): number {
    return this.#parts.maximum
  }

  /**
   * Opens a session for a worker that has said hello. It replaces an open one of the same worker process.
   * @param peer HOST:PORT of the worker's control connection
   * @returns undefined if the maximum is reached
   */
  open({ name, instance, control, peer, onGradient }: Pick<WorkerSessionParts, 'name' | 'instance' | 'control' | 'onGradient'> & { peer: string }): WorkerSession | undefined {
    const { maximum, connections, newId } = this.#parts
    // The old connection can be half open after a network partition: there is no process at its other end.
    for (const session of [...this.#open.values()]) if (session.instance === instance) session.evict('it has joined again')
    if (this.#open.size >= maximum) return undefined
    const session = new WorkerSession({ id: newId(), name: this.#uniqueName(name), instance, control, connections, onGradient })
    this.#open.set(session.id, session)
    session.streams.claim(peer)
    return session
  }

  readonly get = (id: string): WorkerSession | undefined => this.#open.get(id)

  /** Closes a session. */
  remove(session: WorkerSession): void {
    if (this.#open.delete(session.id)) session.close()
  }

  #uniqueName(wanted: string): string {
    const taken = new Set([...this.#open.values()].map(({ name }) => name))
    let name = wanted
    for (let number = 2; taken.has(name); number++) name = `${wanted} (${number})`
    return name
  }
}
