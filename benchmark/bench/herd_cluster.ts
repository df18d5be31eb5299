import path from 'node:path'
import type { Contender } from './contender.ts'
import { listeningSchema, stepSchema, type ClusterOptions, type Step } from './cluster_options.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS, nodeArguments } from '../../shared/kit/node_process.ts'
import { between, processorTimeSchema, sum, type ProcessorTime } from './processor_time.ts'
import { RoundProcess } from './round_process.ts'
import { ROOT } from '../../shared/kit/project.ts'

const WORKER = path.join(ROOT, 'bin/worker.mjs')
const COORDINATOR = path.join(import.meta.dirname, 'coordinator_main.js')
const STILL_WORKERS = path.join(import.meta.dirname, 'still_workers_main.js')

/** The hosts on which a cluster's processes run, and the way from workers to the coordinator. */
export interface Places {
  /** Command that is put in front of the coordinator's, such as `ip netns exec NAME`; empty for none. */
  coordinator: readonly string[]
  /** The same for a process of workers, by its index. */
  worker: (index: number) => readonly string[]
  /** @param address the coordinator's @returns the address that workers are given, which may lead there through a relay */
  via?: (address: string) => Promise<string>
}

const here: Places = { coordinator: [], worker: () => [] }

/** Settings with which a cluster is started. */
export interface Start {
  /** Number of workers, which compute nothing, in one process; undefined for workers that are the real program, with the data. */
  still?: number
  places?: Places
}

/** A coordinator that takes steps when it is told to, with its workers. */
export class HerdCluster {
  readonly #coordinator: RoundProcess
  readonly #workers: RoundProcess[]

  private constructor(coordinator: RoundProcess, workers: RoundProcess[]) {
    this.#coordinator = coordinator
    this.#workers = workers
  }

  /** Starts a cluster; resolves when all workers have joined and are warm. */
  static async start(options: ClusterOptions, { still, places = here }: Start = {}): Promise<HerdCluster> {
    const coordinator = start(places.coordinator, [...nodeArguments(COORDINATOR), JSON.stringify(options)])
    const cluster = new HerdCluster(coordinator, [])
    try {
      const { address } = listeningSchema.parse(await coordinator.next())
      const way = (await places.via?.(address)) ?? address
      cluster.#workers.push(...workerArguments(options, still, way).map((args, index) => start(places.worker(index), args)))
      if (still !== undefined) await Promise.all(cluster.#workers.map((worker) => worker.next()))
      stepSchema.parse(await coordinator.next())
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  async round(): Promise<Step> {
    return stepSchema.parse(await this.#coordinator.round())
  }

  /** Measures a round with still workers, and their processor time, summed over all of them, in one step. @param steps of a round */
  async roundWithWorkers(steps: number): Promise<Step & { workers: ProcessorTime }> {
    const before = await this.#workersTime()
    const step = await this.round()
    return { ...step, workers: between(before, await this.#workersTime(), steps) }
  }

  async close(): Promise<void> {
    await this.#coordinator.close()
    await Promise.all(this.#workers.map((worker) => worker.close()))
  }

  /** The cluster as a contender. @param valueOf gives the section's figure for a step */
  contender(name: string, valueOf: (step: Step) => number): Contender {
    return { name, round: async () => valueOf(await this.round()), close: () => this.close() }
  }

  async #workersTime(): Promise<ProcessorTime> {
    return sum(await Promise.all(this.#workers.map(async (worker) => processorTimeSchema.parse(await worker.round()))))
  }
}

function start(launcher: readonly string[], args: readonly string[]): RoundProcess {
  const [command, ...rest] = [...launcher, process.execPath, ...args]
  return new RoundProcess(command, rest, NODE_ENVIRONMENT)
}

/** Arguments of each process of workers. */
function workerArguments({ workers, data = '', certificates }: ClusterOptions, still: number | undefined, coordinator: string): string[][] {
  if (still === undefined) return Array.from({ length: workers }, (_, index) => [...NODE_OPTIONS, WORKER, '--coordinator', coordinator, '--data', data, '--name', `bench-${index}`, '--quiet'])
  return Array.from({ length: Math.ceil(workers / still) }, (_, index) => [...nodeArguments(STILL_WORKERS), JSON.stringify({ coordinator, count: Math.min(still, workers - index * still), certificates })])
}
