import { ProtocolError } from '../../shared/kit/errors.ts'
import { checkedJson, type CoordinatorMessage, type WorkerMessage } from '../../shared/wire/messages.ts'
import { engineInfoSchema } from '../../shared/engine/engine_info.ts'
import type { Identity, MemberHandler } from '../contract/member.ts'
import type { ReducerHub } from '../exchange/remote/hub.ts'
import { hostOf } from '../port/connections.ts'
import { MemberControl, type ControlOutlet, type Denial } from '../protocol/control.ts'
import type { MachineMemory } from './machine_memory.ts'
import type { Sessions } from './sessions.ts'
import { WorkerSession } from './worker_session.ts'

export interface WorkerControlParts {
  handler: MemberHandler
  sessions: Sessions
  runId: string
  /** JSON of the run's description. */
  run: string
  /** Reducers that workers exchange gradients and weights with; undefined if the coordinator reduces. */
  reducers?: Pick<ReducerHub, 'places' | 'admit' | 'dismiss'>
  /** Memory that is shared with workers on this machine. */
  memory?: MachineMemory
  /** Whom the worker has proved to be, by its certificate or token; undefined: nobody in particular. */
  proven?: Identity | undefined
  /** Milliseconds within which hello must come. */
  helloMs: number
  /** Longest silence between hello and ready, in milliseconds. From then on, the handler watches. */
  silenceMs: number
}

type MessageOf<T> = Extract<WorkerMessage, { message: T }>

/** One worker's membership, from hello to its end. */
export class WorkerControl extends MemberControl<WorkerMessage, CoordinatorMessage> {
  readonly #parts: WorkerControlParts
  /** Session of the worker; undefined before hello. */
  #session: WorkerSession | undefined

  constructor(outlet: ControlOutlet<CoordinatorMessage>, parts: WorkerControlParts) {
    super('worker', outlet, { helloMs: parts.helloMs, silenceMs: parts.silenceMs, watchMembers: false })
    this.#parts = parts
  }

  protected override take(message: WorkerMessage): void {
    if (message.message === 'hello') return this.greet(message.hello, () => this.#join(message.hello))
    const session = this.#session
    if (session === undefined) throw new ProtocolError(`${message.message} came before hello`)
    const { handler } = this.#parts
    switch (message.message) {
      case 'ready':
        return this.#admit(session, message.ready)
      case 'heartbeat':
        session.residentBytes = message.heartbeat.residentBytes
        return handler.onHeard(session)
      case 'computed':
        return handler.onComputed(session, message.computed)
      case 'abandoned':
        return handler.onAbandoned(session, message.abandoned.round)
      case 'draining':
        return handler.onDraining(session)
      case 'evaluation':
        return handler.onEvaluation(session, message.evaluation)
      case 'checked':
        return handler.onChecked(session, message.checked)
      case 'spans':
        return handler.onSpans(session, message.spans.spans)
      case 'clockReading':
        return handler.onClock(session, message.clockReading)
      case 'leaving':
        return this.leave(message.leaving.reason)
    }
  }

  protected override lose(reason: string): void {
    if (this.#session !== undefined) this.#parts.handler.onLost(this.#session, reason)
  }

  protected override release(): void {
    if (this.#session === undefined) return
    this.#parts.sessions.remove(this.#session)
    this.#parts.reducers?.dismiss(this.#session.id)
  }

  #join({ name, instance }: MessageOf<'hello'>['hello']): Denial | undefined {
    const { sessions, reducers, handler, proven } = this.#parts
    if (reducers !== undefined && reducers.places === undefined) return { how: 'early', reason: 'its reducers are not in yet' }
    const session = sessions.open({ name, instance, control: this, peer: this.outlet.peer, proven, onGradient: (member, chunk) => handler.onGradient(member, chunk) })
    if (!(session instanceof WorkerSession)) return session
    this.#session = session
    if (reducers === undefined) this.#welcome(session)
    else void reducers.admit(session.id).then(() => this.#welcome(session))
    return undefined
  }

  #welcome(session: WorkerSession): void {
    if (this.over) return
    const { runId, run, reducers, memory } = this.#parts
    const offer = memory?.offer(this.outlet.peer)
    if (offer !== undefined) session.offerMemory(offer.gradients)
    this.send({ message: 'welcome', welcome: { session: session.id, runId, run, reducers: reducers?.places ?? [], sharedMemory: offer?.places } })
  }

  #admit(session: WorkerSession, { engine, fingerprint, inputFingerprint, versions, datasetDigest, metricsAddress }: MessageOf<'ready'>['ready']): void {
    if (this.#parts.reducers === undefined && !session.streams.hasWeights) throw new ProtocolError('ready came before ReceiveWeights was opened')
    session.facts = {
      engine: checkedJson(engineInfoSchema, engine, 'the engine of a worker'), fingerprint, input: { fingerprint: inputFingerprint, versions }, datasetDigest,
      // The host is the one that the worker connects from, whatever it says: Prometheus must not be sent to ask others in its name.
      metricsAddress: metricsAddress === '' ? '' : `${hostOf(this.outlet.peer)}${metricsAddress.slice(metricsAddress.lastIndexOf(':'))}`,
    }
    const refusal = this.#parts.handler.onReady(session)
    if (refusal !== undefined) this.refuse(refusal)
  }
}
