import type { KeyedRandom } from '../../shared/random/philox.ts'
import { reducerFaults, workerFaults, type Fault, type FaultKind, type Plan } from './plan.ts'
import type { SimulatedReducer } from './reducer.ts'
import type { SimulatedProcess } from './process.ts'
import type { SimulatedCoordinator } from './coordinator.ts'
import type { SimulatedDisk } from './disk.ts'
import type { VirtualClock } from './clock.ts'
import type { Network } from './network.ts'
import type { Statistics } from './statistics.ts'
import type { Trace } from './trace.ts'
import type { SimulatedWorker } from './worker.ts'

/** The cluster that faults strike. */
export interface Stricken {
  readonly clock: VirtualClock
  readonly statistics: Statistics
  readonly trace: Trace
  readonly network: Network
  readonly plan: Plan
  readonly workers: Map<string, SimulatedWorker>
  readonly reducers: readonly SimulatedReducer[]
  readonly disk: SimulatedDisk
  readonly coordinator: SimulatedCoordinator
  addWorker(): void
  startAgain(name: string): void
  /** @param imageMs milliseconds that the worker takes for an image */
  setSpeed(name: string, imageMs: number): void
  startReducers(): void
  startCoordinator(): void
}

/** Injects the faults of a plan, and repairs everything at their end. */
export class Faults {
  readonly #simulation: Stricken
  readonly #random: KeyedRandom

  constructor(simulation: Stricken, random: KeyedRandom) {
    this.#simulation = simulation
    this.#random = random
  }

  schedule(): void {
    const { clock, plan } = this.#simulation
    for (const fault of plan.faults) clock.after(fault.atMs, () => this.#inject(fault))
  }

  /** Repairs everything that is broken, and adds workers until there are enough. */
  repair(): void {
    const { workers, coordinator, plan, trace } = this.#simulation
    trace.add('faults', 'over: all is repaired')
    this.#simulation.disk.full = false
    coordinator.process.goOn()
    this.#simulation.startCoordinator()
    for (const { process } of this.#simulation.reducers) process.goOn()
    this.#simulation.startReducers()
    for (const worker of workers.values()) {
      worker.process.goOn()
      this.#simulation.setSpeed(worker.process.name, 10)
    }
    // Where workers lie, two honest ones are needed to find the truth, and as many as are wanted when the liars are out.
    const least = plan.liars === 0 ? plan.workersWanted : plan.liars + Math.max(plan.workersWanted, 2)
    while (workers.size < least) this.#simulation.addWorker()
  }

  #inject(fault: Fault): void {
    const { statistics, trace, coordinator } = this.#simulation
    const ofWorker = isOneOf(fault.kind, workerFaults)
    const ofReducer = isOneOf(fault.kind, reducerFaults)
    const worker = ofWorker ? this.#anyWorker() : undefined
    const reducer = ofReducer ? this.#anyReducer() : undefined
    const target = worker ?? reducer
    if (target === undefined && (ofWorker || ofReducer || (fault.kind !== 'join' && !coordinator.process.alive))) return
    trace.add('faults', `${fault.kind} ${target?.process.name ?? ''} for ${fault.durationMs.toFixed(0)} ms`)
    statistics.count(fault.kind)
    if (worker !== undefined) this.#strikeWorker(fault, worker)
    else if (reducer !== undefined) this.#strikeReducer(fault, reducer)
    else this.#strikeRun(fault)
  }

  #anyReducer(): SimulatedReducer | undefined {
    const reducers = this.#simulation.reducers.filter((reducer) => reducer.process.alive)
    return reducers.length === 0 ? undefined : this.#random.pick(reducers)
  }

  #strikeReducer({ kind, durationMs }: Fault, { process }: SimulatedReducer): void {
    const { clock, network } = this.#simulation
    const connections = network.connectionsOf(process)
    switch (kind) {
      case 'reducer crash':
      case 'reducer power loss':
        process.kill()
        // A reducer is the server of workers and a client of the coordinator. After a crash the other end notices soon; after a power
        // loss the coordinator hears nothing any more, and workers notice when the machine is up again.
        for (const connection of connections) {
          const seen = kind === 'reducer crash' ? this.#soon() : undefined
          connection.break(connection.client === process ? { client: undefined, server: seen } : { client: seen ?? durationMs + this.#soon(), server: undefined })
        }
        clock.after(durationMs, () => this.#simulation.startReducers())
        break
      case 'reducer hang':
        this.#hang(process, durationMs)
        break
      case 'reducer reset':
        for (const connection of connections) connection.break({ client: this.#soon(), server: this.#soon() })
        break
      case 'reducer partition':
        network.partition(process, durationMs)
        break
      default:
        throw new Error(`${kind} does not befall a reducer`)
    }
  }

  #anyWorker(): SimulatedWorker | undefined {
    const workers = [...this.#simulation.workers.values()].filter((worker) => worker.process.alive)
    return workers.length === 0 ? undefined : this.#random.pick(workers)
  }

  #strikeWorker({ kind, durationMs }: Fault, worker: SimulatedWorker): void {
    const { clock, network } = this.#simulation
    const { process } = worker
    const connections = network.connectionsOf(process)
    switch (kind) {
      case 'crash':
        this.#kill(worker)
        for (const connection of connections) connection.break({ client: undefined, server: this.#soon() })
        clock.after(durationMs, () => this.#simulation.startAgain(process.name))
        break
      case 'power loss':
        this.#kill(worker)
        for (const connection of connections) connection.break({ client: undefined, server: undefined })
        clock.after(durationMs, () => this.#simulation.startAgain(process.name))
        break
      case 'hang':
        this.#hang(process, durationMs)
        break
      case 'compute crash':
        worker.crashCompute()
        break
      case 'connection reset':
        for (const connection of connections) connection.break({ client: this.#soon(), server: this.#soon() })
        break
      case 'half-open connection': {
        // An end that does not notice at once finds out when it next sends, as a worker does; a coordinator notices the silence first.
        const workerSees = this.#random.uniform() < 0.5
        for (const connection of connections) connection.break(workerSees ? { client: this.#soon(), server: undefined } : { client: this.#random.between(1000, 5000), server: this.#soon() })
        break
      }
      case 'one stream broken': {
        const control = this.#random.uniform() < 0.5
        for (const connection of connections) connection.breakOne(control, { client: this.#random.between(1, 500), server: this.#soon() })
        break
      }
      case 'partition':
        network.partition(process, durationMs)
        break
      case 'change of speed':
        this.#simulation.setSpeed(process.name, this.#random.pick([2, 10, 50, 200]))
        break
      case 'leave':
        worker.stop()
        if (this.#random.uniform() < 0.5) clock.after(durationMs, () => this.#simulation.startAgain(process.name))
        break
      default:
        throw new Error(`${kind} does not befall a worker`)
    }
  }

  #strikeRun({ kind, durationMs }: Fault): void {
    const { clock, network, coordinator } = this.#simulation
    const connections = network.connectionsOf(coordinator.process)
    switch (kind) {
      case 'join':
        this.#simulation.addWorker()
        break
      case 'coordinator crash':
        coordinator.process.kill()
        for (const connection of connections) connection.break({ client: this.#soon(), server: undefined })
        clock.after(durationMs, () => this.#simulation.startCoordinator())
        break
      case 'coordinator power loss':
        // A worker that sends to the machine when it is up again is told that it does not know the connection.
        coordinator.process.kill()
        for (const connection of connections) connection.break({ client: durationMs + this.#random.between(1, 3000), server: undefined })
        clock.after(durationMs, () => this.#simulation.startCoordinator())
        break
      case 'coordinator hang':
        this.#hang(coordinator.process, durationMs)
        break
      case 'coordinator stop':
        coordinator.stop()
        break
      case 'full disk': {
        const { disk } = this.#simulation
        disk.full = true
        clock.after(durationMs, () => (disk.full = false))
        break
      }
      case 'partition of all':
        for (const worker of this.#simulation.workers.values()) network.partition(worker.process, durationMs)
        break
      default:
        throw new Error(`${kind} does not befall the run`)
    }
  }

  #kill(worker: SimulatedWorker): void {
    worker.process.kill()
    worker.crashCompute()
    this.#simulation.workers.delete(worker.process.name)
  }

  #hang(process: SimulatedProcess, durationMs: number): void {
    process.hang()
    this.#simulation.clock.after(durationMs, () => process.goOn())
  }

  /** Milliseconds until a broken connection is noticed. */
  #soon(): number {
    return this.#random.between(0.1, 20)
  }
}

function isOneOf(kind: FaultKind, kinds: readonly FaultKind[]): boolean {
  return kinds.includes(kind)
}
