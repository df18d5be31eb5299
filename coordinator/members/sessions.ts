import { randomBytes } from 'node:crypto'
import type { Connections } from '../port/connections.ts'
import { WorkerSession, type ControlStream, type GradientsStream, type WeightsStream } from './worker_session.ts'

/** The sessions that are open, and the connections that belong to them. */
export class Sessions {
  readonly #maximum: number
  readonly #connections: Connections
  readonly #open = new Map<string, { session: WorkerSession; peers: string[] }>()
  #closed = false

  constructor(maximum: number, connections: Connections) {
    this.#maximum = maximum
    this.#connections = connections
  }

  /**
   * Opens a session for a worker that has said hello, in the place of one that the same process had.
   * @param evict ends its control stream with a reason
   * @returns undefined when there are as many as may be.
   */
  open({ name, instance }: { name: string; instance: string }, control: ControlStream, evict: (reason: string) => void): WorkerSession | undefined {
    // Its old connection can be half open, after a partition: nobody is at its other end.
    for (const { session } of [...this.#open.values()]) if (session.instance === instance) session.evict('it has joined again')
    if (this.#open.size >= this.#maximum) return undefined
    const session = new WorkerSession({ id: randomBytes(16).toString('hex'), name: this.#uniqueName(name), instance, control, evict })
    this.#open.set(session.id, { session, peers: [] })
    this.#claim(session, control.getPeer())
    return session
  }

  /** Nobody joins any more. */
  get closed(): boolean {
    return this.#closed
  }

  get(id: string): WorkerSession | undefined {
    return this.#open.get(id)?.session
  }

  /** @throws ProtocolError when the session has a weights stream already, or shares memory that it was not offered. */
  attachWeights(session: WorkerSession, stream: WeightsStream, sharesMemory: boolean): void {
    session.attachWeights(stream, sharesMemory)
    this.#claim(session, stream.getPeer())
  }

  /**
   * The manifest is fetched on the connection on which gradients will come: it is the session's from now on, and can take them.
   * @throws ProtocolError when the manifest was fetched before.
   */
  attachManifest(session: WorkerSession, peer: string): void {
    session.fetchesManifest()
    this.#claim(session, peer)
    this.#connections.widen(peer)
  }

  /** @throws ProtocolError when the session has another gradients stream already. */
  attachGradients(session: WorkerSession, stream: GradientsStream): void {
    if (session.attachGradients(stream)) this.#claim(session, stream.getPeer())
  }

  /** The session is over. @returns whether it was open. */
  remove(session: WorkerSession): boolean {
    const peers = this.#open.get(session.id)?.peers ?? []
    for (const peer of peers) this.#connections.release(peer)
    session.close()
    return this.#open.delete(session.id)
  }

  /** Removes them all: nobody joins any more. */
  close(): WorkerSession[] {
    this.#closed = true
    const sessions = [...this.#open.values()].map(({ session }) => session)
    for (const session of sessions) this.remove(session)
    return sessions
  }

  #claim(session: WorkerSession, peer: string): void {
    this.#open.get(session.id)?.peers.push(peer)
    this.#connections.claim(peer)
  }

  #uniqueName(wanted: string): string {
    const taken = new Set([...this.#open.values()].map(({ session }) => session.name))
    let name = wanted
    for (let number = 2; taken.has(name); number++) name = `${wanted} (${number})`
    return name
  }
}
