import { InterruptedError } from '../contract/interruptions.ts'
import { CoordinatorServer, type ServerParts } from '../members/server.ts'
import { WorkerCluster, type WorkerClusterParts } from './worker_cluster.ts'

export interface OpenClusterParts extends Omit<WorkerClusterParts, 'close'> {
  /** HOST:PORT to listen on; port 0 takes a free one. */
  address: string
  server: Omit<ServerParts, 'handler' | 'onUnreadable' | 'silenceLimitMs' | 'now'>
}

const TICK_MS = 100

/**
 * Listens for workers: opens a cluster behind sockets, and the timer that calls its `tick`. Both end when the cluster is closed.
 * @throws RunError if the address cannot be bound
 */
export async function listenForWorkers({ address, server: serverParts, ...parts }: OpenClusterParts): Promise<{ cluster: WorkerCluster; port: number }> {
  const cluster = new WorkerCluster({
    ...parts,
    close: async (outcome) => {
      clearInterval(ticker)
      await server.close({ message: 'stop', stop: outcome })
    },
  })
  const { server, port } = await CoordinatorServer.listen(address, { ...serverParts, handler: cluster, onUnreadable: ({ message }) => cluster.fail(new InterruptedError(message)), silenceLimitMs: parts.silenceLimitMs, now: parts.now })
  const ticker = setInterval(() => cluster.tick(), TICK_MS)
  return { cluster, port }
}
