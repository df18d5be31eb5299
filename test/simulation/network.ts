import type { CoordinatorMessage } from '../../shared/wire/messages.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import type { VirtualClock } from './clock.ts'
import { Connection, type ServerEnd } from './connection.ts'
import type { Meddler } from './meddler.ts'
import type { SimulatedProcess } from './process.ts'
import type { Trace } from './trace.ts'

/** A program that listens. */
export interface Listener {
  process: SimulatedProcess
  /** @returns undefined when it accepts nobody any more */
  accept: (connection: Connection) => ServerEnd | undefined
}

export interface NetworkParts {
  clock: VirtualClock
  random: KeyedRandom
  trace: Trace
  meddler: Meddler
  /** Is told what must not be. */
  violated: (what: string) => void
}

/** Between the workers and the one address of the coordinator: delays, partitions, and the connections that there are. */
export class Network {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly meddler: Meddler
  readonly violated: (what: string) => void
  readonly #random: KeyedRandom
  #listener: Listener | undefined
  #connections: Connection[] = []
  /** When the partition of a worker heals, by name. */
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

  connect(worker: SimulatedProcess, onMessage: (message: CoordinatorMessage) => void): Connection {
    const connection = new Connection(this, worker, onMessage)
    this.#connections = [...this.#connections.filter((each) => !each.over && each.worker.alive), connection]
    this.clock.after(Math.max(this.latency(), this.#healsInMs(worker)), () => {
      if (connection.over) return
      const listener = this.#listener
      if (listener?.process.alive !== true) return connection.refuse()
      const end = listener.accept(connection)
      if (end === undefined) connection.refuse()
      else connection.accept(listener.process, end)
    })
    return connection
  }

  /** Connections that are open, of one process or of all. */
  connectionsOf(process?: SimulatedProcess): Connection[] {
    return this.#connections.filter((each) => process === undefined || each.worker === process || each.coordinator === process)
  }

  /** Milliseconds for a message that has nothing before it. */
  latency(): number {
    return this.#random.between(0.2, 5)
  }

  /** One connection's own way: near or far, steady or not. */
  latencyOfConnection(): () => number {
    const base = this.#random.between(0.2, 20)
    const jitter = this.#random.pick([0.1, 1, 10, 50])
    return () => base + jitter * -Math.log(1 - this.#random.uniform())
  }

  /** Cuts a machine off; what is sent meanwhile arrives when the partition heals, as with TCP. */
  partition(worker: SimulatedProcess, milliseconds: number): void {
    const heals = Math.max(this.clock.now + milliseconds, this.#partitions.get(worker.name) ?? 0)
    this.#partitions.set(worker.name, heals)
    for (const connection of this.connectionsOf(worker)) connection.stall()
    this.clock.after(milliseconds, () => {
      if (this.isPartitioned(worker)) return
      for (const connection of this.#connections) if (connection.worker.name === worker.name) connection.flow()
    })
  }

  isPartitioned(worker: SimulatedProcess): boolean {
    return this.#healsInMs(worker) > 0
  }

  #healsInMs(worker: SimulatedProcess): number {
    return Math.max(0, (this.#partitions.get(worker.name) ?? 0) - this.clock.now)
  }
}
