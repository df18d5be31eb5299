import { z } from 'zod'
import { parameterDigest } from '../../shared/checkpoint/checkpoint.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import type { OptimizerState } from '../../shared/optim/optimizer.ts'
import { cutRanges } from '../../coordinator/exchange/remote/ranges.ts'
import type { Progress } from '../../coordinator/contract/progress.ts'
import { undisturbed, type Undisturbed } from './baseline.ts'
import { VirtualClock } from './clock.ts'
import { SimulatedCoordinator } from './coordinator.ts'
import { SimulatedDisk } from './disk.ts'
import { Faults } from './faults.ts'
import { liar } from './liar.ts'
import { Meddler } from './meddler.ts'
import { Network } from './network.ts'
import { planOf, type Plan } from './plan.ts'
import { problems } from './problem.ts'
import { Statistics } from './statistics.ts'
import { Trace } from './trace.ts'
import { SimulatedReducer } from './reducer.ts'
import { SimulatedWorker } from './worker.ts'

export const outcomeSchema = z.object({
  seed: z.number(),
  /** Reasons why the schedule fails; empty if it passes. */
  failures: z.array(z.string()),
  /** Hash of everything that happened. */
  traceHash: z.string(),
  virtualMs: z.number(),
  counts: z.record(z.string(), z.number()),
})
export type Outcome = z.infer<typeof outcomeSchema>

/** Time after the last fault within which a run must end; later it never will. */
const PATIENCE_MS = 300_000

const baselines = new Map<number, Promise<Undisturbed>>()

function baselineOf(problem: number): Promise<Undisturbed> {
  const known = baselines.get(problem) ?? undisturbed(problems[problem])
  baselines.set(problem, known)
  return known
}

/** One whole cluster, from its start to its end, under the schedule of a seed. */
export class Simulation {
  readonly clock = new VirtualClock()
  readonly statistics = new Statistics()
  readonly trace: Trace
  readonly network: Network
  readonly plan: Plan
  readonly workers = new Map<string, SimulatedWorker>()
  /** Reducers; their order does not matter. */
  readonly reducers: SimulatedReducer[] = []
  readonly disk: SimulatedDisk
  coordinator: SimulatedCoordinator
  readonly #seed: number
  readonly #meddler: Meddler
  readonly #speeds = new Map<string, number>()
  readonly #failures: string[] = []
  readonly #epochs = new Map<number, string>()
  #end: { state: OptimizerState; progress: Progress } | undefined
  #incarnations = 0
  #attentiveUntil = 0
  readonly #liars = new Set<string>()
  readonly #banned = new Set<string>()
  #streams = 0
  #names = 0

  constructor(seed: number, plan: Plan, print: ((line: string) => void) | undefined) {
    this.#seed = seed
    this.plan = plan
    this.trace = new Trace(this.clock, print)
    const { count } = this.statistics
    const { layout, chunkFloats } = problems[plan.problem]
    this.#meddler = new Meddler({ ...plan.meddling, random: this.random(), lastOffsets: cutRanges(layout.size, Math.max(1, plan.reducers), chunkFloats).map(({ end }) => Math.floor((end - 1) / chunkFloats) * chunkFloats), trace: this.trace, count })
    this.network = new Network({ clock: this.clock, random: this.random(), trace: this.trace, meddler: this.#meddler, violated: (what) => this.#violated(what) })
    this.disk = new SimulatedDisk(this.random())
    this.coordinator = this.#newCoordinator()
  }

  /** Makes a new stream of random numbers, so that each part has its own. */
  random(): KeyedRandom {
    return new KeyedRandom(this.#seed, Purpose.simulation, 2, this.#streams++)
  }

  /** Runs the schedule to its end, and compares the result with that of the undisturbed run. */
  async run(): Promise<Outcome> {
    const rejected = (error: unknown): void => this.#violated(`a promise that nobody awaits was rejected: ${error instanceof Error ? error.stack : String(error)}`)
    process.on('unhandledRejection', rejected)
    try {
      if (this.plan.reducers > 0) this.statistics.count('runs with reducers')
      this.coordinator.start()
      this.startReducers()
      for (let i = 0; i < this.plan.workers; i++) {
        const name = `worker ${++this.#names}`
        if (i < this.plan.liars) this.#liars.add(name)
        this.addWorker(name)
      }
      const faults = new Faults(this, this.random())
      faults.schedule()
      this.clock.after(this.plan.calmFromMs, () => {
        this.#meddler.stop()
        faults.repair()
      })
      const done = await this.clock.runUntil(() => this.#end !== undefined || this.#failures.length > 0, this.plan.calmFromMs + PATIENCE_MS)
      if (!done) this.#violated(`the run does not end: a deadlock, ${PATIENCE_MS / 1000} s after the last fault`)
    } finally {
      process.off('unhandledRejection', rejected)
    }
    await this.#compare()
    return { seed: this.#seed, failures: this.#failures, traceHash: this.trace.hash(), virtualMs: this.clock.now, counts: this.statistics.counts }
  }

  /** Starts a worker process: a new machine's, or one that was there before. */
  addWorker(name = `worker ${++this.#names}`): void {
    const random = this.random()
    if (!this.#speeds.has(name)) this.#speeds.set(name, random.pick([5, 10, 20, 50]))
    const worker = new SimulatedWorker({
      name, clock: this.clock, network: this.network, problem: problems[this.plan.problem], random, trace: this.trace, count: this.statistics.count,
      imageMs: () => this.#speeds.get(name) ?? 10,
      lie: this.#liars.has(name) ? liar(this.plan.lies, this.plan.lieRate, this.random(), this.statistics.count) : undefined,
      onExit: (ended, how) => {
        this.workers.delete(name)
        this.network.connectionsOf(ended.process).forEach((connection) => connection.break({ client: undefined, server: 1 }))
        // A worker that has failed is started again.
        if (how === 'failed') this.clock.after(1000, () => this.startAgain(name))
      },
    })
    this.workers.set(name, worker)
    this.trace.add(name, 'starts')
    worker.start()
  }

  startAgain(name: string): void {
    if (!this.workers.has(name) && !this.#banned.has(name)) this.addWorker(name)
  }

  setSpeed(name: string, imageMs: number): void {
    this.#speeds.set(name, imageMs)
  }

  /** Starts the reducers that are not running. */
  startReducers(): void {
    for (let index = 0; index < this.plan.reducers; index++) {
      if (this.reducers.at(index)?.process.alive === true) continue
      const reducer = new SimulatedReducer({
        name: `reducer ${index + 1}`, port: index + 1, clock: this.clock, network: this.network, problem: problems[this.plan.problem], random: this.random(), trace: this.trace,
        onExit: (how) => {
          this.network.connectionsOf(reducer.process).forEach((connection) => connection.break({ client: 1, server: 1 }))
          if (how === 'failed') this.clock.after(1000, () => this.startReducers())
        },
      })
      this.reducers[index] = reducer
      reducer.start()
    }
  }

  startCoordinator(): void {
    if (this.coordinator.process.alive || this.#end !== undefined) return
    this.coordinator = this.#newCoordinator()
    this.coordinator.start()
  }

  #newCoordinator(): SimulatedCoordinator {
    const { workersWanted, silenceLimitMs, reducers, verify } = this.plan
    const random = this.random()
    return new SimulatedCoordinator({
      incarnation: ++this.#incarnations, clock: this.clock, network: this.network, problem: problems[this.plan.problem], disk: this.disk,
      checkpointSeconds: this.plan.checkpointSeconds, trace: this.trace, count: this.statistics.count, workersWanted, silenceLimitMs, reducers,
      verify, attentiveUntil: this.#attentiveUntil, secret: `secret ${this.#seed}`, random: () => random.uniform(), onBan: (identity) => this.#ban(identity),
      onEpoch: (result) => this.#epochs.set(result.epoch, JSON.stringify(result)),
      onExit: (end) => {
        if (end.how === 'finished') this.#end = end
        else {
          this.#attentiveUntil = end.how === 'failed' ? end.attentiveUntil : 0
          this.clock.after(500, () => this.startCoordinator())
        }
      },
    })
  }

  /** A worker that was put out is not let in again; an honest one never is. */
  #ban(identity: string): void {
    // While an old connection of the worker is open, a new one gets the name with a number.
    const name = identity.replace(/ \(\d+\)$/, '')
    if (!this.#liars.has(name)) this.#violated(`${name}, which is honest, is put out`)
    this.#banned.add(name)
    this.workers.get(name)?.stop()
    this.statistics.count('liars put out')
  }

  async #compare(): Promise<void> {
    if (this.#end === undefined) return
    const { counts } = this.statistics
    // Where nobody else was there to ask, and without --verify, a lie that is not finite is taken for the run's own.
    if (this.plan.liars > 0 && this.plan.verify === 0 && (counts['checks missed'] ?? 0) > 0) return
    const expected = await baselineOf(this.plan.problem)
    const { parameters, moments } = this.#end.state
    if (parameterDigest(parameters) !== expected.digest) this.#violated('the weights are not those of the undisturbed run')
    if (moments.map(parameterDigest).join() !== expected.momentDigests.join()) this.#violated("the optimizer's moments are not those of the undisturbed run")
    const { images } = this.#end.progress
    if (images !== expected.images) this.#violated(`${images} images were trained on instead of ${expected.images}`)
    for (const result of expected.epochs) {
      const kept = this.#epochs.get(result.epoch)
      if (kept !== JSON.stringify(result)) this.#violated(`epoch ${result.epoch} came to ${kept ?? 'nothing'} instead of ${JSON.stringify(result)}`)
    }
  }

  #violated(what: string): void {
    this.#failures.push(what)
    this.trace.add('FAILURE', what)
  }
}

/** Runs the schedule of a seed. @param print called with each line of the trace */
export function simulate(seed: number, print?: (line: string) => void): Promise<Outcome> {
  return new Simulation(seed, planOf(seed), print).run()
}
