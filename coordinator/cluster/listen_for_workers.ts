import { CoordinatorServer, type ServerParts } from '../members/server.ts'
import { WorkerCluster, type WorkerClusterParts } from './worker_cluster.ts'

export interface OpenClusterParts extends Omit<WorkerClusterParts, 'close'> {
  address: string
  server: Omit<ServerParts, 'handler' | 'silenceLimitMs' | 'now'>
}

const TICK_MS = 100

/**
 * Listens for workers: a cluster behind sockets, and the clock that ticks for it. Both end when the cluster is closed.
 * @throws RunError when the address cannot be bound.
 */
export async function listenForWorkers({ address, server: serverParts, ...parts }: OpenClusterParts): Promise<{ cluster: WorkerCluster; port: number }> {
  const cluster = new WorkerCluster({
    ...parts,
    close: async (outcome) => {
      clearInterval(ticker)
      await server.close({ message: 'stop', stop: outcome })
    },
  })
  const { server, port } = await CoordinatorServer.listen(address, { ...serverParts, handler: cluster, silenceLimitMs: parts.silenceLimitMs, now: parts.now })
  const ticker = setInterval(() => cluster.tick(), TICK_MS)
  return { cluster, port }
}
