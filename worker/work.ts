import os from 'node:os'
import { progressPlace } from '../shared/command/progress.ts'
import { createLog } from '../shared/kit/log.ts'
import { serveMetricsIfAsked } from '../shared/http/metrics_server.ts'
import { cacheCaution, cautionsOf } from '../shared/security/cautions.ts'
import { isEveryAddress } from '../shared/security/loopback.ts'
import { cacheFolder } from '../shared/kit/paths.ts'
import { followTokens } from '../shared/security/token.ts'
import { onStopSignal } from '../shared/kit/stop_signals.ts'
import { clearTokenWarning, nameOf, readAccess } from '../shared/wire/client_access.ts'
import { WorkerDaemon } from './daemon.ts'
import { WorkerMetrics } from './metrics.ts'
import type { WorkerOptions } from './options.ts'

/**
 * Runs a worker with these options until its run ends or a signal stops it.
 * @returns the exit code
 * @throws RunError if the coordinator cannot be reached or refuses the worker, or if the engine or the data fail
 * @throws UsageError if the token or a TLS file cannot be used
 */
export async function work(options: WorkerOptions): Promise<number> {
  const access = await readAccess(options, process.env, new Date())

  const log = createLog(options)
  for (const warning of [clearTokenWarning(access, options.coordinator), ...(await cautionsOf(options, new Date())), await cacheCaution(options.cache ?? cacheFolder())]) if (warning !== undefined) log.warn(warning)
  const name = options.name ?? nameOf(access) ?? `${os.hostname()}-${process.pid}`
  const metrics = new WorkerMetrics(name, options.gpu, access.tls)
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
  const unfollow = followTokens(access.token, log)
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
    unfollow()
    await server?.close()
  }
  return exitCode
}
