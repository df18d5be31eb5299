import { RunError } from '../../shared/kit/errors.ts'
import type { Log } from '../../shared/kit/log.ts'
import type { Access } from '../port/access.ts'
import type { Observer } from '../contract/events.ts'
import type { WorkerCluster } from '../cluster/worker_cluster.ts'
import { LocalProcesses } from './processes.ts'
import type { CoordinatorOptions } from '../options.ts'

/** Starts workers on this machine. If all of them have ended and there is no other worker, none will come any more, and the run fails. */
export function startLocalWorkers(count: number, options: CoordinatorOptions, access: Access, data: string, grpc: { cluster: Pick<WorkerCluster, 'status' | 'fail'>; localAddress: string }, log: Log): { workers: LocalProcesses; observe: Observer } {
  let running = count
  const failWhenAlone = (): void => {
    if (running === 0 && grpc.cluster.status.workers === 0) grpc.cluster.fail(new RunError(`all ${count} local workers have ended; what they said is above.`))
  }
  const { gpu } = options
  const workers = new LocalProcesses({
    program: 'worker', count, coordinator: grpc.localAddress, token: access.token, tls: options, verbose: options.verbose, logFormat: options.logFormat,
    argumentsOf: (name, index) => [
      '--data', data, '--name', name, '--cache-size', `${options.cacheSize}B`,
      // The first worker gets the GPU that --gpu names, the others those after it.
      ...(gpu === undefined ? [] : ['--gpu', String(gpu + index)]),
      ...(options.metricsPort === undefined ? [] : ['--metrics-port', '0']),
    ],
    onExit: ({ name, how, left }) => {
      log.warn(`worker ${name} ${how}.`)
      running = left
      failWhenAlone()
    },
  })
  // The loss of the connection may be noticed before or after the end of the process.
  return { workers, observe: (event) => (event.type === 'workerLost' ? failWhenAlone() : undefined) }
}
