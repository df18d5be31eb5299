import path from 'node:path'
import type { Contender } from './contender.ts'
import { listeningSchema, stepSchema, type ClusterOptions, type Step } from './cluster_options.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS, typescriptArguments } from '../../shared/node_process.ts'
import { RoundProcess } from './round_process.ts'

const WORKER = path.join(import.meta.dirname, '../../bin/worker.mjs')
const COORDINATOR = path.join(import.meta.dirname, 'coordinator_main.ts')
const STILL_WORKERS = path.join(import.meta.dirname, 'still_workers_main.ts')

/** A coordinator that takes steps when it is told to, with its workers. */
export class HerdCluster {
  readonly #coordinator: RoundProcess
  readonly #workers: RoundProcess[]

  private constructor(coordinator: RoundProcess, workers: RoundProcess[]) {
    this.#coordinator = coordinator
    this.#workers = workers
  }

  /**
   * Settles when all have joined and are warm.
   * @param still how many workers share a process that computes nothing; without it, they are the real program, with the data
   */
  static async start(options: ClusterOptions, still?: number): Promise<HerdCluster> {
    const coordinator = new RoundProcess(process.execPath, [...typescriptArguments(COORDINATOR), JSON.stringify(options)], NODE_ENVIRONMENT)
    const { address } = listeningSchema.parse(await coordinator.next())
    const cluster = new HerdCluster(coordinator, still === undefined ? realWorkers(options, address) : stillWorkers(options.workers, still, address))
    try {
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

  async close(): Promise<void> {
    await this.#coordinator.close()
    await Promise.all(this.#workers.map((worker) => worker.close()))
  }

  /** @param valueOf of a step, the section's figure */
  contender(name: string, valueOf: (step: Step) => number): Contender {
    return { name, round: async () => valueOf(await this.round()), close: () => this.close() }
  }
}

function realWorkers({ workers, data = '' }: ClusterOptions, address: string): RoundProcess[] {
  return Array.from({ length: workers }, (_, index) => new RoundProcess(process.execPath, [...NODE_OPTIONS, WORKER, '--coordinator', address, '--data', data, '--name', `bench-${index}`, '--quiet'], NODE_ENVIRONMENT))
}

function stillWorkers(workers: number, perProcess: number, coordinator: string): RoundProcess[] {
  return Array.from({ length: Math.ceil(workers / perProcess) }, (_, index) =>
    new RoundProcess(process.execPath, [...typescriptArguments(STILL_WORKERS), JSON.stringify({ coordinator, count: Math.min(perProcess, workers - index * perProcess) })], NODE_ENVIRONMENT))
}
