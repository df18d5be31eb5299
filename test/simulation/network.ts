import type { CoordinatorMessage, ReductionMessage } from '../../shared/wire/messages.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import type { VirtualClock } from './clock.ts'
import { Connection, type ServerEnd } from './connection.ts'
import type { Meddler } from './meddler.ts'
import type { SimulatedProcess } from './process.ts'
import { SimulatedReducerLink, type ReducerServerEnd } from './reducer_link.ts'
import type { Trace } from './trace.ts'
import type { Breakable, BulkEnd, Connectable, Wires } from './wires.ts'

/** A coordinator that listens. */
export interface Listener {
  process: SimulatedProcess
  /** Opens the coordinator's end for a worker; undefined if it accepts none any more. */
  worker: () => ServerEnd | undefined
  /** Opens the coordinator's end for a reducer; undefined if it accepts none any more. */
  reducer: () => ReducerServerEnd | undefined
}

export interface NetworkParts {
  clock: VirtualClock
  random: KeyedRandom
  trace: Trace
  meddler: Meddler
  /** Called with a description of anything that must not happen. */
  violated: (what: string) => void
}

/** The network between workers, reducers and the one address of the coordinator: its connections, delays and partitions. */
export class Network implements Wires {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly meddler: Meddler
  readonly violated: (what: string) => void
  readonly #random: KeyedRandom
  #listener: Listener | undefined
  /** Bulk ends of reducers, by address. */
  readonly #bulkListeners = new Map<string, { process: SimulatedProcess; end: BulkEnd }>()
  #connections: Breakable[] = []
  /** Time at which the partition of a machine heals, by the name of its process. */
  readonly #partitions = new Map<string, number>()

  constructor({ clock, random, trace, meddler, violated }: NetworkParts) {
    this.clock = clock
    this.trace = trace
    this.meddler = meddler
    this.violated = violated
    this.#random = random
  }

  listen(listener: Listener): void {
    this.#listener = listener
  }

  listenBulk(address: string, listener: { process: SimulatedProcess; end: BulkEnd }): void {
    this.#bulkListeners.set(address, listener)
  }

  connect(worker: SimulatedProcess, onMessage: (message: CoordinatorMessage) => void): Connection {
    const connection = new Connection(this, worker, onMessage)
    this.#reach(connection, () => this.#listener, (process) => {
      const end = this.#listener?.worker()
      if (end === undefined) connection.refuse()
      else connection.accept(process, end)
    })
    return connection
  }

  connectReducer(reducer: SimulatedProcess, onMessage: (message: ReductionMessage) => void): SimulatedReducerLink {
    const link = new SimulatedReducerLink(this, reducer, onMessage)
    this.#reach(link, () => this.#listener, (process) => {
      const end = this.#listener?.reducer()
      if (end === undefined) link.refuse()
      else link.accept(process, end)
    })
    return link
  }

  connectBulk(bulk: Connectable<BulkEnd>, address: string): void {
    const listener = this.#bulkListeners.get(address)
    this.#reach(bulk, () => listener, (process) => (listener === undefined ? bulk.refuse() : bulk.accept(process, listener.end)))
  }

  /** Open connections of one process, or of all. */
  connectionsOf(process?: SimulatedProcess): Breakable[] {
    return this.#connections.filter((each) => process === undefined || each.client === process || each.server === process)
  }

  /** Milliseconds to reach a machine, for the first message of a connection. */
  latency(): number {
    return this.#random.between(0.2, 5)
  }

  /** Latency of one connection, which is near or far, steady or not. @returns a function that draws the milliseconds of each message */
  latencyOfConnection(): () => number {
    const base = this.#random.between(0.2, 20)
    const jitter = this.#random.pick([0.1, 1, 10, 50])
    return () => base + jitter * -Math.log(1 - this.#random.uniform())
  }

  /** Cuts a machine off; messages sent meanwhile arrive when the partition heals, as with TCP. */
  partition(machine: SimulatedProcess, milliseconds: number): void {
    const heals = Math.max(this.clock.now + milliseconds, this.#partitions.get(machine.name) ?? 0)
    this.#partitions.set(machine.name, heals)
    for (const connection of this.connectionsOf(machine)) connection.stall()
    this.clock.after(milliseconds, () => {
      for (const each of this.#connections) {
        if ([each.client, each.server].every((end) => end === undefined || !this.isPartitioned(end))) each.flow()
      }
    })
  }

  isPartitioned(machine: SimulatedProcess): boolean {
    return this.#healsInMs(machine) > 0
  }

  /** Connects after a while, at the earliest when both machines can be reached. */
  #reach(connection: Breakable & { refuse(): void }, listener: () => { process: SimulatedProcess } | undefined, accept: (process: SimulatedProcess) => void): void {
    const { client } = connection
    this.#connections = [...this.#connections.filter((each) => !each.over && each.client.alive), connection]
    const there = listener()?.process
    this.clock.after(Math.max(this.latency(), this.#healsInMs(client), there === undefined ? 0 : this.#healsInMs(there)), () => {
      if (connection.over) return
      const process = listener()?.process
      if (process?.alive === true) accept(process)
      else connection.refuse()
    })
  }

  #healsInMs(machine: SimulatedProcess): number {
    return Math.max(0, (this.#partitions.get(machine.name) ?? 0) - this.clock.now)
  }
}
