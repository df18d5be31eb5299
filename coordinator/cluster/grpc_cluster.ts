import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { UpdateNumbers } from '../../shared/optim/optimizer.ts'
import type { BlockResult, Cluster, ClusterStatus, StepResult } from '../contract/cluster.ts'
import { CoordinatorServer, type ServerParts } from '../members/server.ts'
import { WorkerCluster, type WorkerClusterParts } from './worker_cluster.ts'

export interface GrpcClusterParts extends WorkerClusterParts {
  address: string
  server: Omit<ServerParts, 'handler' | 'silenceLimitMs'>
}

const TICK_MS = 100

/** Workers behind sockets: joins the cluster's logic to the server, and to a clock that ticks. */
export class GrpcCluster implements Cluster {
  readonly #cluster: WorkerCluster
  readonly #server: CoordinatorServer
  readonly #ticker: NodeJS.Timeout

  private constructor(cluster: WorkerCluster, server: CoordinatorServer) {
    this.#cluster = cluster
    this.#server = server
    this.#ticker = setInterval(() => cluster.tick(), TICK_MS)
  }

  /**
   * Listens for workers.
   * @throws RunError when the address cannot be bound.
   */
  static async listen(parts: GrpcClusterParts): Promise<{ cluster: GrpcCluster; port: number }> {
    const cluster = new WorkerCluster(parts)
    const { server, port } = await CoordinatorServer.listen(parts.address, { ...parts.server, handler: cluster, silenceLimitMs: parts.silenceLimitMs })
    return { cluster: new GrpcCluster(cluster, server), port }
  }

  get status(): ClusterStatus {
    return this.#cluster.status
  }

  gathered(): Promise<void> {
    return this.#cluster.gathered()
  }

  trainStep(at: StepPosition, numbers: UpdateNumbers): Promise<StepResult> {
    return this.#cluster.trainStep(at, numbers)
  }

  evaluate(at: StepPosition): Promise<BlockResult[]> {
    return this.#cluster.evaluate(at)
  }

  get evaluateBeside(): Cluster['evaluateBeside'] {
    return this.#cluster.evaluateBeside
  }

  async close(outcome: { finished: boolean; reason: string }): Promise<void> {
    clearInterval(this.#ticker)
    await this.#server.close({ message: 'stop', stop: outcome })
  }

  /** Makes whoever waits for workers fail: nobody will come. */
  fail(error: Error): void {
    this.#cluster.fail(error)
  }
}
