import { HerdError, messageOf } from '../../shared/kit/errors.ts'
import type { ReducerMessage, ReductionMessage, StateChunk } from '../../shared/wire/messages.ts'
import type { ReducerControl } from '../../coordinator/exchange/remote/reducer_control.ts'
import type { ControlOutlet } from '../../coordinator/protocol/control.ts'
import type { ReducerLink } from '../../reducer/link.ts'
import { ControlWay } from './control_way.ts'
import type { Breakable, Wires } from './wires.ts'
import type { SimulatedProcess } from './process.ts'
import { Stream } from './stream.ts'

/** The coordinator's end of a reducer's connections. */
export interface ReducerServerEnd {
  open: (outlet: ControlOutlet<ReductionMessage>) => ReducerControl
  startOf: (session: string) => Iterable<StateChunk>
  receiveState: (chunk: StateChunk) => void
}

interface Accepted {
  end: ReducerServerEnd
  control: ReducerControl | undefined
  /** Chunks of the state that a reducer fetches at its start; `done` ends them, with the reason if it failed. */
  start: Stream<{ chunk: StateChunk } | { done: string }>
  calls: Stream<() => void>
  states: Stream<StateChunk>
}

/** A reducer's connections to its coordinator, like those of reducer/connection.ts. */
export class SimulatedReducerLink implements ReducerLink, Breakable {
  readonly client: SimulatedProcess
  readonly #network: Wires
  readonly #control: ControlWay<ReducerMessage, ReductionMessage>
  #accepted: Accepted | undefined
  #onStart: (arrived: { chunk: StateChunk } | { done: string }) => void = () => undefined

  constructor(network: Wires, reducer: SimulatedProcess, onMessage: (message: ReductionMessage) => void) {
    const { meddler } = network
    this.#network = network
    this.client = reducer
    this.#control = new ControlWay({
      network, client: reducer, onMessage,
      describeUp: (message) => (message.message === 'heartbeat' ? undefined : `-> ${JSON.stringify(message)}`), describeDown: (message) => `<- ${JSON.stringify(message)}`,
      meddleUp: (message) => meddler.control(`${reducer.name} up`, message), meddleDown: (message) => meddler.control(`${reducer.name} down`, message),
    })
  }

  get lost(): Promise<string> {
    return this.#control.lost
  }

  get over(): boolean {
    return this.#control.over
  }

  get server(): SimulatedProcess | undefined {
    return this.#control.server
  }

  send(message: ReducerMessage): void {
    this.#control.send(message)
  }

  async *fetchState(session: string): AsyncGenerator<StateChunk> {
    const arrived: ({ chunk: StateChunk } | { done: string })[] = []
    let wake: () => void = () => undefined
    this.#onStart = (each) => {
      arrived.push(each)
      wake()
    }
    const accepted = this.#accepted
    accepted?.calls.send(() => {
      try {
        for (const chunk of accepted.end.startOf(session)) accepted.start.send({ chunk })
        accepted.start.send({ done: '' })
      } catch (error) {
        accepted.start.send({ done: messageOf(error) })
      }
    })
    for (;;) {
      const next = arrived.shift()
      if (next === undefined) await new Promise<void>((resolve) => (wake = resolve))
      else if ('chunk' in next) yield next.chunk
      else {
        if (next.done !== '') this.#control.lose(next.done)
        return
      }
    }
  }

  async sendState(chunks: Iterable<StateChunk>): Promise<void> {
    for (const chunk of chunks) {
      this.#accepted?.states.send(chunk)
      await this.#accepted?.states.drained()
    }
  }

  close(): void {
    void this.#control.close('the reducer closed the connection')
  }

  accept(process: SimulatedProcess, end: ReducerServerEnd): void {
    const { client } = this
    const latency = this.#network.latencyOfConnection()
    const common = { clock: this.#network.clock, latency, trace: (what: string) => this.#network.trace.add(client.name, what), copy: <T>(message: T): T => message, meddle: <T>(message: T) => [{ message, afterMs: 0 }], describe: () => undefined }
    const up = { ...common, sender: client, receiver: process }
    const accepted: Accepted = {
      end, control: undefined,
      start: new Stream<{ chunk: StateChunk } | { done: string }>({ ...common, sender: process, receiver: client, receive: (each) => this.#onStart(each), copy: (each) => ('chunk' in each ? { chunk: copyState(each.chunk) } : each) }),
      calls: new Stream<() => void>({ ...up, receive: (call) => call() }),
      states: new Stream<StateChunk>({ ...up, copy: copyState, describe: ({ id, vector, offset }) => `-> state ${id} ${vector} at ${offset}`, receive: (chunk) => this.#receiveState(end, chunk) }),
    }
    this.#accepted = accepted
    this.#control.accept(process, latency, (outlet) => (accepted.control = end.open(outlet)))
    if (this.#network.isPartitioned(client)) this.stall()
  }

  /** Loses the connection, since no process listens at the address. */
  refuse(): void {
    this.client.run(() => this.#control.lose('the coordinator cannot be reached'))
  }

  stall(): void {
    this.#control.stall()
    for (const stream of this.#streams()) stream.stall()
  }

  flow(): void {
    this.#control.flow()
    for (const stream of this.#streams()) stream.flow()
  }

  break(seen: { client: number | undefined; server: number | undefined }): void {
    this.#control.break()
    for (const stream of this.#streams()) stream.break()
    this.#tell(seen)
  }

  breakOne(control: boolean, seen: { client: number; server: number }): void {
    if (control) this.#control.break()
    else for (const stream of this.#streams()) stream.break()
    this.#tell(seen)
  }

  #tell(seen: { client: number | undefined; server: number | undefined }): void {
    if (seen.client !== undefined) this.#control.tellClient(seen.client)
    if (seen.server !== undefined) this.#control.tellServer(seen.server)
  }

  #receiveState(end: ReducerServerEnd, chunk: StateChunk): void {
    try {
      end.receiveState(chunk)
    } catch (error) {
      if (!(error instanceof HerdError)) this.#network.violated(`the coordinator failed at a state: ${String(error)}`)
      this.#accepted?.control?.cut(messageOf(error))
    }
  }

  #streams(): Pick<Stream<unknown>, 'stall' | 'flow' | 'break'>[] {
    const streams = this.#accepted
    return streams === undefined ? [] : [streams.start, streams.calls, streams.states]
  }
}

function copyState(chunk: StateChunk): StateChunk {
  return { ...chunk, data: Buffer.from(new Uint8Array(chunk.data)) }
}
