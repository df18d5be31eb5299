import { RunError } from '../../shared/kit/errors.ts'
import type { Log } from '../../shared/kit/log.ts'
import { machineSeconds } from '../../shared/trace/span.ts'
import type { Access } from '../port/access.ts'
import type { Observer } from '../contract/events.ts'
import type { WorkerCluster } from '../cluster/worker_cluster.ts'
import { LocalProcesses } from './processes.ts'
import { Restarts } from './restarts.ts'
import type { CoordinatorOptions } from '../options.ts'

/**
 * Starts workers on this machine. One that dies after it has joined is started again. If all of them have ended and there is no other worker, none
 * will come any more, and the run fails.
 */
export function startLocalWorkers(count: number, options: CoordinatorOptions, access: Access, data: string, grpc: { cluster: Pick<WorkerCluster, 'status' | 'fail'>; localAddress: string }, log: Log): { workers: LocalProcesses; observe: Observer } {
  let running = count
  const failWhenAlone = (): void => {
    if (running === 0 && grpc.cluster.status.workers === 0) grpc.cluster.fail(new RunError(`all ${count} local workers have ended; what they said is above.`))
  }
  const restarts = new Restarts()
  const { gpu } = options
  const workers = new LocalProcesses({
    program: 'worker', count, coordinator: grpc.localAddress, token: access.token ?? access.ownToken, tls: options, verbose: options.verbose, logFormat: options.logFormat,
    argumentsOf: (name, index) => [
      '--data', data, '--name', name, '--cache-size', `${options.cacheSize}B`,
      // The first worker gets the GPU that --gpu names, the others those after it.
      ...(gpu === undefined ? [] : ['--gpu', String(gpu + index)]),
      ...(options.metricsPort === undefined ? [] : ['--metrics-port', '0']),
    ],
    restartAfter: (name) => restarts.after(name, machineSeconds()),
    onExit: ({ name, how, left, restartMs }) => {
      log.warn(`worker ${name} ${how}${restartMs === undefined ? '' : `; it is started again in ${restartMs / 1000} s`}.`)
      running = left
      failWhenAlone()
    },
  })
  const observe: Observer = (event) => {
    if (event.type === 'workerJoined') restarts.takesPart(event.worker)
    // The loss of the connection may be noticed before or after the end of the process.
    if (event.type === 'workerLost') failWhenAlone()
  }
  return { workers, observe }
}
