import { Turns } from '../shared/kit/async.ts'
import { ProtocolError } from '../shared/kit/errors.ts'
import { layoutOf } from '../shared/model/layout.ts'
import { withGroupRates } from '../shared/optim/group_rates.ts'
import { freshState, type Optimizer, type OptimizerState } from '../shared/optim/optimizer.ts'
import { optimizerOf } from '../shared/optim/optimizers.ts'
import { SpanOutbox } from '../shared/trace/span_outbox.ts'
import { checkedJson, PROTOCOL_VERSION, type Assigned, type Gather, type ReductionMessage } from '../shared/wire/messages.ts'
import { Participation, type MembershipEnd } from '../shared/wire/participation.ts'
import { runDescriptionSchema } from '../shared/wire/run_description.ts'
import { StateInbox, stateChunks } from '../shared/wire/state_chunks.ts'
import type { ConnectReducer, ReducerLink, WorkersPort } from './link.ts'
import { ReducerSession } from './session.ts'

/** Everything that a membership needs from outside: network and time. */
export interface ReducerMembershipParts {
  /** HOST:PORT of the port for workers; :PORT if it is on every address of this machine. */
  address: string
  port: WorkersPort
  connect: ConnectReducer
  /** Calls an action at an interval. @returns a function that ends that */
  every: (milliseconds: number, action: () => void) => () => void
  /** Seconds on the machine's clock, `machineSeconds`. */
  now: () => number
  /** Floats per chunk on the wire; undefined means the default. The coordinator must use the same. */
  chunkFloats?: number
}

/** The end of a membership, and the point that it had reached. */
export interface MembershipResult {
  end: MembershipEnd
  /** True if the coordinator had assigned a range to the reducer. */
  assigned: boolean
}

/** One membership of a reducer in a run, from hello to its end. */
export class ReducerMembership {
  readonly #parts: ReducerMembershipParts
  readonly #link: ReducerLink
  readonly #participation: Participation
  #assigned: Assigned | undefined
  #session: ReducerSession | undefined
  #outbox: SpanOutbox | undefined
  /** Queue of states that are to be sent, one after the other. */
  readonly #states = new Turns()
  #over = false

  constructor(parts: ReducerMembershipParts) {
    this.#parts = parts
    this.#link = parts.connect((message) => this.#take(message))
    this.#participation = new Participation({ kind: 'reducer', link: this.#link, every: parts.every, now: parts.now })
  }

  /**
   * Takes part until the run ends, or the coordinator is lost.
   * @throws RunError if the coordinator refuses the reducer or breaks the protocol
   */
  async run(): Promise<MembershipResult> {
    const { address, port } = this.#parts
    this.#link.send({ message: 'hello', hello: { protocolVersion: PROTOCOL_VERSION, address } })
    try {
      const end = await this.#participation.untilEnd(() => this.#beat())
      return { end, assigned: this.#assigned !== undefined }
    } finally {
      this.#over = true
      port.session = undefined
      this.#session?.close()
      this.#link.close()
    }
  }

  /** Leaves at once, without waiting for the open step. */
  leave(): void {
    this.#participation.ask()
    this.#link.close()
  }

  #beat(): void {
    if (this.#assigned !== undefined) this.#link.send({ message: 'heartbeat', heartbeat: {} })
    this.#outbox?.flush()
  }

  #take(message: ReductionMessage): void {
    switch (message.message) {
      case 'assigned':
        if (this.#assigned !== undefined) throw new ProtocolError('assigned came twice')
        this.#assigned = message.assigned
        this.#load(message.assigned).catch(this.#participation.fail)
        return
      case 'refused':
      case 'stop':
      case 'clockProbe':
        return this.#participation.take(message)
      default:
        if (this.#session === undefined) throw new ProtocolError(`${message.message} came before the reducer was ready`)
        this.#session.take(message)
        if (message.message === 'settle') this.#outbox?.flush()
        return
    }
  }

  async #load(assigned: Assigned): Promise<void> {
    const { port, now, chunkFloats } = this.#parts
    const { session, begin, end, run: json } = assigned
    const run = checkedJson(runDescriptionSchema, json, "the coordinator's run")
    const layout = withGroupRates(layoutOf(run.network), run.network, run)
    if (end > layout.size) throw new ProtocolError(`the coordinator assigns parameters ${begin} to ${end - 1} of ${layout.size}.`)
    const optimizer = optimizerOf(run.optimizer)
    const start = await this.#fetchState(session, optimizer, { begin, end })
    if (this.#over) return
    this.#outbox = run.trace ? new SpanOutbox((spans) => this.#link.send({ message: 'spans', spans: { spans } })) : undefined
    this.#session = new ReducerSession({
      assigned, layout, run, optimizer, start, connections: port.connections, now,
      send: (message) => this.#link.send(message),
      sendState: (gather, state) => this.#sendState(session, gather, { begin, end }, state),
      ...(this.#outbox === undefined ? {} : { onSpan: (span) => this.#outbox?.add(span) }),
      ...(chunkFloats === undefined ? {} : { chunkFloats }),
    })
    port.session = this.#session
    this.#link.send({ message: 'ready', ready: {} })
  }

  async #fetchState(session: string, optimizer: Optimizer, range: { begin: number; end: number }): Promise<OptimizerState> {
    const state = freshState(optimizer, range.end - range.begin)
    const inbox = new StateInbox(state, range, range.begin)
    for await (const chunk of this.#link.fetchState(session)) inbox.receive(chunk)
    if (!inbox.complete) throw new ProtocolError('the coordinator sent a part of the weights only.')
    return state
  }

  #sendState(session: string, { id }: Gather, range: { begin: number; end: number }, state: OptimizerState): void {
    void this.#states.take(() => this.#link.sendState(stateChunks(state, range, range.begin, { session, id }, this.#parts.chunkFloats)))
  }
}
