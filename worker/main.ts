import os from 'node:os'
import { addOptions, readOptions } from '../shared/command/options.ts'
import { createProgram } from '../shared/command/program.ts'
import { progressPlace } from '../shared/command/progress.ts'
import { createLog } from '../shared/log.ts'
import { serveMetricsIfAsked } from '../shared/metrics_server.ts'
import { isEveryAddress } from '../shared/security/loopback.ts'
import { cacheFolder } from '../shared/paths.ts'
import { onStopSignal } from '../shared/stop_signals.ts'
import { readAccess } from '../shared/wire/access.ts'
import { WorkerDaemon } from './daemon.ts'
import { WorkerMetrics } from './metrics.ts'
import { workerOptions } from './options.ts'

const examples = `
Examples:
  worker --coordinator 192.0.2.10:7070                  one CPU core, images from the coordinator
  worker --coordinator 192.0.2.10:7070 --data raw-img   with a copy of the data set of its own
  worker --coordinator 192.0.2.10:7070 --gpu 0          one GPU

Exit codes: 0 the run has finished, 1 failed, 2 the command line is wrong, 130/143 stopped by a signal.`

/** @returns the exit code */
export async function main(argv: string[]): Promise<number> {
  const command = createProgram('worker')
    .description('Computes lanes for a Herd coordinator, until its run ends. Start one for each CPU core or GPU.')
    .addHelpText('after', examples)
  addOptions(command, workerOptions)
  command.parse(argv, { from: 'user' })
  const options = readOptions(command, workerOptions)

  const access = await readAccess(options, process.env, new Date())

  const log = createLog(options)
  const name = options.name ?? `${os.hostname()}-${process.pid}`
  const metrics = new WorkerMetrics(name, options.gpu)
  const server = await serveMetricsIfAsked(metrics, options, log)

  const daemon = new WorkerDaemon(
    {
      coordinator: options.coordinator,
      access,
      data: options.data,
      name,
      engine: options.engine,
      gpu: options.gpu,
      cacheFolder: options.cache ?? cacheFolder(),
      pixelCacheBytes: options.cacheSize,
      imageCacheBytes: options.imageCacheSize,
      metricsAddress: server === undefined ? '' : `${isEveryAddress(server.host) ? '' : server.host}:${server.port}`,
      patienceMs: options.patience * 1000,
    },
    log,
    metrics.observer,
    progressPlace(process.stderr, log, options),
  )
  let exitCode = 0
  const removeSignals = onStopSignal((signal, code) => {
    log.info(`${signal}: leaving the run.`)
    exitCode = code
    daemon.stop()
  })
  try {
    await daemon.run()
  } finally {
    removeSignals()
    await server?.close()
  }
  return exitCode
}
