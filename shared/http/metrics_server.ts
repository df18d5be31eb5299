import http from 'node:http'
import { collectDefaultMetrics, type Registry } from 'prom-client'
import { messageOf } from '../kit/errors.ts'
import { boundedHttp, listenHttp, type HttpLimits, type ListeningServer } from './http_server.ts'
import { isLoopback } from '../security/loopback.ts'
import type { Log } from '../kit/log.ts'
import { whyForeign } from './same_site.ts'

/** Metrics of prom-client that are left out: each is the sum of another gauge of its own, under a name that Prometheus reserves for counters. */
const MISNAMED = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total']

/** Adds the metrics that every Node process has: memory, CPU time, event loop, garbage collection. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
}

/** Time for which a rendered answer is given again, in milliseconds: rendering takes a few of them. */
const REMEMBERED_MS = 20

/** Default limits; they are generous, since a scrape takes milliseconds. */
const LIMITS: HttpLimits = { connections: 64, patienceMs: 10_000 }

/**
 * Serves a registry at /metrics and, for a supervisor of the process, /healthz (it is alive) and /readyz (it can do its work).
 * @param unready returns why the process cannot do its work yet; undefined if it can
 * @param port 0 for any free port
 * @throws RunError if the port is in use or cannot be opened.
 */
export function serveMetrics(registry: Registry, unready: () => string | undefined, host: string, port: number, limits = LIMITS): Promise<ListeningServer> {
  const text = remembered(() => registry.metrics())
  const server = http.createServer(boundedHttp(limits), (request, response) => {
    const answer = async (): Promise<void> => {
      // Node leaves the body out of an answer to HEAD. A refused request's body is not read, so its connection is closed.
      if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, { allow: 'GET, HEAD', connection: 'close' }).end()
      else if (request.url === '/metrics') {
        const foreign = isLoopback(host) ? whyForeign(request, true) : undefined
        if (foreign === undefined) response.writeHead(200, { 'content-type': registry.contentType }).end(await text())
        else response.writeHead(403, { 'content-type': 'text/plain' }).end(`${foreign}\n`)
      } else if (request.url === '/healthz') response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
      else if (request.url === '/readyz') {
        const why = unready()
        response.writeHead(why === undefined ? 200 : 503, { 'content-type': 'text/plain' }).end(`${why ?? 'ok'}\n`)
      } else response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n')
    }
    answer().catch((error: unknown) => response.writeHead(500).end(messageOf(error)))
  })
  return listenHttp(server, { host, port, option: '--metrics-port' }, limits)
}

/** Makes a function that calls `make` at most fifty times a second: rendering takes the process's only thread, and whoever reaches the port may ask. */
function remembered(make: () => Promise<string>): () => Promise<string> {
  let made: { at: number; text: Promise<string> } | undefined
  return () => {
    const now = performance.now()
    if (made === undefined || now - made.at > REMEMBERED_MS) made = { at: now, text: make() }
    return made.text
  }
}

/** Starts the metrics server if --metrics-port asks for it, and logs its address. @throws RunError as `serveMetrics` does */
export async function serveMetricsIfAsked(
  { registry, unready }: { registry: Registry; unready: () => string | undefined }, options: { metricsPort: number | undefined; metricsHost: string | undefined }, log: Log,
): Promise<(ListeningServer & { host: string }) | undefined> {
  if (options.metricsPort === undefined) return undefined
  const host = options.metricsHost ?? '127.0.0.1'
  const server = await serveMetrics(registry, unready, host, options.metricsPort)
  log.info(`metrics at http://${host}:${server.port}/metrics`)
  return { ...server, host }
}
