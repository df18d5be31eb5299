import type { KeyedRandom } from '../../shared/random/philox.ts'
import { workerFaults, type Fault } from './plan.ts'
import type { SimulatedProcess } from './process.ts'
import type { Simulation } from './simulation.ts'
import type { SimulatedWorker } from './worker.ts'

/** Makes the faults of a plan happen, and repairs everything at their end. */
export class Faults {
  readonly #simulation: Simulation
  readonly #random: KeyedRandom

  constructor(simulation: Simulation, random: KeyedRandom) {
    this.#simulation = simulation
    this.#random = random
  }

  schedule(): void {
    const { clock, plan } = this.#simulation
    for (const fault of plan.faults) clock.after(fault.atMs, () => this.#inject(fault))
  }

  /** Nothing fails any more, and enough workers are there. */
  repair(): void {
    const { workers, coordinator, plan, trace } = this.#simulation
    trace.add('faults', 'over: all is repaired')
    this.#simulation.disk.full = false
    coordinator.process.goOn()
    this.#simulation.startCoordinator()
    for (const worker of workers.values()) {
      worker.process.goOn()
      this.#simulation.setSpeed(worker.process.name, 10)
    }
    while (workers.size < plan.workersWanted) this.#simulation.addWorker()
  }

  #inject(fault: Fault): void {
    const { statistics, trace } = this.#simulation
    const target = this.#isOfWorker(fault) ? this.#anyWorker() : undefined
    if (this.#isOfWorker(fault) && target === undefined) return
    if (!this.#isOfWorker(fault) && fault.kind !== 'join' && !this.#simulation.coordinator.process.alive) return
    trace.add('faults', `${fault.kind} ${target?.process.name ?? ''} for ${fault.durationMs.toFixed(0)} ms`)
    statistics.count(fault.kind)
    if (target === undefined) this.#strikeRun(fault)
    else this.#strikeWorker(fault, target)
  }

  #isOfWorker({ kind }: Fault): boolean {
    return workerFaults.some((each) => each === kind)
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
        for (const connection of connections) connection.break({ worker: undefined, coordinator: this.#soon() })
        clock.after(durationMs, () => this.#simulation.startAgain(process.name))
        break
      case 'power loss':
        this.#kill(worker)
        for (const connection of connections) connection.break({ worker: undefined, coordinator: undefined })
        clock.after(durationMs, () => this.#simulation.startAgain(process.name))
        break
      case 'hang':
        this.#hang(process, durationMs)
        break
      case 'compute crash':
        worker.crashCompute()
        break
      case 'connection reset':
        for (const connection of connections) connection.break({ worker: this.#soon(), coordinator: this.#soon() })
        break
      case 'half-open connection': {
        // Who does not notice is told when it next sends, if the other end still lives; a coordinator finds silence first.
        const workerSees = this.#random.uniform() < 0.5
        for (const connection of connections) connection.break(workerSees ? { worker: this.#soon(), coordinator: undefined } : { worker: this.#random.between(1000, 5000), coordinator: this.#soon() })
        break
      }
      case 'one stream broken': {
        const control = this.#random.uniform() < 0.5
        for (const connection of connections) {
          if (control) connection.breakControl({ worker: this.#random.between(1, 500), coordinator: this.#soon() })
          else connection.breakBulk({ worker: this.#random.between(1, 500), coordinator: this.#soon() })
        }
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
        for (const connection of connections) connection.break({ worker: this.#soon(), coordinator: undefined })
        clock.after(durationMs, () => this.#simulation.startCoordinator())
        break
      case 'coordinator power loss':
        // Whoever sends to the machine once it is up again is told that it knows nothing of the connection.
        coordinator.process.kill()
        for (const connection of connections) connection.break({ worker: durationMs + this.#random.between(1, 3000), coordinator: undefined })
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

  /** Until a broken connection is noticed. */
  #soon(): number {
    return this.#random.between(0.1, 20)
  }
}
