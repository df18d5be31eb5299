import type { Member, MemberHandler, WorkerFacts } from '../../coordinator/contract/member.ts'
import { HerdError, messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import { checkedJson, PROTOCOL_VERSION, type CoordinatorMessage, type GradientChunk, type WeightsChunk } from '../../shared/wire/messages.ts'
import { engineInfoSchema } from '../../shared/engine/engine_info.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import type { Connection, ServerEnd, UpMessage } from './connection.ts'
import type { Network } from './network.ts'

/** Weights that are on their way in the network itself are no backlog; each other message counts as one of a MiB. */
const IN_FLIGHT = 24
const MESSAGE_BYTES = 1024 * 1024

class Session implements Member {
  readonly id: string
  readonly name: string
  readonly instance: string
  readonly evict: (reason: string) => void
  facts: WorkerFacts | undefined
  readonly residentBytes = 0
  bytesReceived = 0
  bytesSent = 0
  weightsOpen = false
  readonly #connection: Connection

  constructor(id: string, { name, instance }: { name: string; instance: string }, connection: Connection, evict: (reason: string) => void) {
    this.id = id
    this.name = name
    this.instance = instance
    this.#connection = connection
    this.evict = evict
  }

  get backlogBytes(): number {
    return Math.max(0, this.#connection.weightsBacklog - IN_FLIGHT) * MESSAGE_BYTES
  }

  send(message: CoordinatorMessage): void {
    this.#connection.sendDown(message)
  }

  sendWeights(chunk: WeightsChunk): void {
    if (!this.weightsOpen) return
    this.bytesSent += chunk.data.length
    this.#connection.sendWeights(chunk)
  }

  end(message: CoordinatorMessage): void {
    this.send(message)
    this.#connection.sendDown({ message: 'end' })
  }
}

export interface ServerParts {
  network: Network
  handler: MemberHandler
  run: RunDescription
  manifest: Buffer
  /** Makes ids that no other incarnation of the coordinator gives. */
  incarnation: number
}

/** The sessions of coordinator/members/server.ts on the simulated network. */
export class SimulatedServer {
  readonly #parts: ServerParts
  readonly #sessions = new Map<string, Session>()
  #ids = 0
  #closing = false

  constructor(parts: ServerParts) {
    this.#parts = parts
  }

  accept(connection: Connection): ServerEnd | undefined {
    if (this.#closing) return undefined
    let session: Session | undefined
    let over = false
    const finish = (reason: string): void => {
      if (over) return
      over = true
      if (session === undefined) return
      this.#sessions.delete(session.id)
      if (!this.#closing) this.#parts.handler.onLost(session, reason)
    }
    const cut = (reason: string): void => {
      if (over) return
      finish(reason)
      connection.sendDown({ message: 'aborted', reason })
    }
    const take = (message: UpMessage): void => {
      if (message.message === 'end') {
        connection.sendDown({ message: 'end' })
        return finish('the worker closed the connection')
      }
      if (message.message === 'hello') {
        if (session !== undefined) throw new ProtocolError('hello came twice')
        if (message.hello.protocolVersion !== PROTOCOL_VERSION) throw new ProtocolError('another protocol version')
        const { instance } = message.hello
        for (const old of [...this.#sessions.values()]) if (old.instance === instance) old.evict('it has joined again')
        session = this.#open(message.hello, connection, cut)
        return
      }
      if (session === undefined) throw new ProtocolError(`${message.message} came before hello`)
      if (this.#hear(session, message) === 'out') {
        over = true
        this.#sessions.delete(session.id)
      }
      if (message.message === 'leaving') {
        connection.sendDown({ message: 'end' })
        finish(message.leaving.reason)
      }
    }
    return {
      onControl: (message) => {
        if (over) return
        if (this.#closing) return connection.sendDown({ message: 'end' })
        this.#guarded(() => take(message), cut)
      },
      onGradient: (chunk) => this.#takeGradient(connection, chunk),
      manifest: (id) => (this.#sessions.has(id) ? this.#parts.manifest : undefined),
      openWeights: (id) => {
        const opened = this.#sessions.get(id)
        if (opened === undefined) connection.refuseGradients('no such session')
        else opened.weightsOpen = true
      },
      onBroken: () => finish('the connection was lost'),
    }
  }

  /** Ends every session with a last word. */
  close(message: CoordinatorMessage): void {
    this.#closing = true
    for (const session of this.#sessions.values()) session.end(message)
    this.#sessions.clear()
  }

  #open({ name: wanted, instance }: { name: string; instance: string }, connection: Connection, cut: (reason: string) => void): Session {
    const taken = new Set([...this.#sessions.values()].map((session) => session.name))
    let name = wanted
    for (let number = 2; taken.has(name); number++) name = `${wanted} (${number})`
    const session = new Session(`${this.#parts.incarnation}/${++this.#ids}`, { name, instance }, connection, cut)
    this.#sessions.set(session.id, session)
    session.send({ message: 'welcome', welcome: { session: session.id, runId: 'simulated', run: JSON.stringify(this.#parts.run), reducers: [] } })
    return session
  }

  /** What a session says after hello. @returns 'out' when it is refused */
  #hear(session: Session, message: Exclude<UpMessage, { message: 'end' | 'hello' }>): 'in' | 'out' {
    const { handler } = this.#parts
    switch (message.message) {
      case 'ready': {
        if (session.facts !== undefined) throw new ProtocolError('ready came twice')
        if (!session.weightsOpen) throw new ProtocolError('ready came before ReceiveWeights was opened')
        const { engine, fingerprint, datasetDigest, metricsAddress } = message.ready
        session.facts = { engine: checkedJson(engineInfoSchema, engine, 'the engine of a worker'), fingerprint, datasetDigest, metricsAddress }
        const refusal = handler.onReady(session)
        if (refusal === undefined) return 'in'
        session.end({ message: 'refused', refused: { reason: refusal } })
        return 'out'
      }
      case 'heartbeat':
        handler.onHeard(session)
        return 'in'
      case 'computed':
        handler.onComputed(session, message.computed)
        return 'in'
      case 'abandoned':
        handler.onAbandoned(session, message.abandoned.round)
        return 'in'
      case 'draining':
        handler.onDraining(session)
        return 'in'
      case 'evaluation':
        handler.onEvaluation(session, message.evaluation)
        return 'in'
      case 'spans':
        handler.onSpans(session, message.spans.spans)
        return 'in'
      case 'clockReading':
        handler.onClock(session, message.clockReading)
        return 'in'
      case 'leaving':
        return 'in'
    }
  }

  #takeGradient(connection: Connection, chunk: GradientChunk): void {
    const session = this.#sessions.get(chunk.session)
    if (session?.facts === undefined) return connection.refuseGradients('a gradient chunk of no member')
    session.bytesReceived += chunk.data.length
    this.#guarded(() => this.#parts.handler.onGradient(session, chunk), (reason) => {
      session.evict(reason)
      connection.refuseGradients(reason)
    })
  }

  /** A message that breaks the protocol ends its session; any other error is one of Herd's own. */
  #guarded(take: () => void, end: (reason: string) => void): void {
    try {
      take()
    } catch (error) {
      if (!(error instanceof HerdError)) this.#parts.network.violated(`the coordinator failed at a message: ${error instanceof Error ? error.stack : String(error)}`)
      end(messageOf(error))
    }
  }
}
