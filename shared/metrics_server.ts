import http from 'node:http'
import { collectDefaultMetrics, type Registry } from 'prom-client'
import { messageOf, RunError } from './errors.ts'
import type { Log } from './log.ts'

export interface MetricsServer {
  port: number
  close(): Promise<void>
}

/** prom-client's sums of the gauges beside them, under names that Prometheus keeps for counters. */
const MISNAMED = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total']

/** Adds what is known of every Node process: memory, CPU time, event loop, garbage collection. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
}

/** What anybody who reaches the port may take up. A scrape takes milliseconds, and a request for one a few hundred bytes. */
export interface MetricsLimits {
  connections: number
  /** How long a request may take to come, and a connection may be idle. */
  patienceMs: number
}
const LIMITS: MetricsLimits = { connections: 64, patienceMs: 10_000 }
const MAX_HEADER_BYTES = 8 * 1024

/**
 * Serves a registry at /metrics, and /healthz.
 * @param port 0 takes a free one
 * @throws RunError when the port cannot be had.
 */
export async function serveMetrics(registry: Registry, host: string, port: number, { connections, patienceMs } = LIMITS): Promise<MetricsServer> {
  const timeouts = { headersTimeout: patienceMs, requestTimeout: patienceMs, keepAliveTimeout: patienceMs, connectionsCheckingInterval: patienceMs / 2 }
  const server = http.createServer({ maxHeaderSize: MAX_HEADER_BYTES, ...timeouts }, (request, response) => {
    const answer = async (): Promise<void> => {
      // Node leaves the body out of an answer to HEAD. What is not read of a request goes with its connection.
      if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, { allow: 'GET, HEAD', connection: 'close' }).end()
      else if (request.url === '/metrics') response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics())
      else if (request.url === '/healthz') response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
      else response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n')
    }
    answer().catch((error: unknown) => response.writeHead(500).end(messageOf(error)))
  })
  server.maxConnections = connections
  // Also for who asks and does not take the answer.
  server.setTimeout(patienceMs)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is in use; choose another, or 0 for a free one.' : error.message
      reject(new RunError(`--metrics-port ${port}: ${why}`))
    })
    server.listen(port, host, resolve)
  })
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The server that --metrics-port asks for, if it does; says in the log where it is. */
export async function serveMetricsIfAsked(registry: Registry, options: { metricsPort: number | undefined; metricsHost: string | undefined }, log: Log): Promise<MetricsServer | undefined> {
  if (options.metricsPort === undefined) return undefined
  const host = options.metricsHost ?? '127.0.0.1'
  const server = await serveMetrics(registry, host, options.metricsPort)
  log.info(`metrics at http://${host}:${server.port}/metrics`)
  return server
}
