import { lookup } from 'node:dns/promises'
import net from 'node:net'
import { messageOf, RunError } from '../../shared/kit/errors.ts'

/** Silence of a connection, in milliseconds, after which the system asks the other end whether it is still there. */
const KEEP_ALIVE_MS = 30_000

/** A port on which the process listens, on all addresses of a host that could be bound. */
export interface ListeningPort {
  port: number
  close(): void
}

/**
 * Listens on all addresses of a host.
 * @param port 0 takes a free one
 * @throws RunError if the host is unknown or none of its addresses can be bound
 */
export async function listenOn(host: string, port: number, onConnection: (socket: net.Socket) => void): Promise<ListeningPort> {
  const option = `--listen ${host.includes(':') ? `[${host}]` : host}:${port}`
  const addresses = await lookup(host, { all: true }).catch((error: unknown) => {
    throw new RunError(`${option}: the host is unknown: ${messageOf(error)}`)
  })
  const servers: net.Server[] = []
  const failures: Error[] = []
  let bound = port
  for (const { address } of addresses) {
    try {
      const server = await listen(address, bound, onConnection)
      servers.push(server)
      bound = (server.address() as net.AddressInfo).port
    } catch (error) {
      failures.push(error as Error)
    }
  }
  if (servers.length === 0) throw new RunError(`${option}: ${bindFailure(failures[0], port)}`)
  return { port: bound, close: () => servers.forEach((server) => server.close()) }
}

function listen(host: string, port: number, onConnection: (socket: net.Socket) => void): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    // Routers and load balancers forget connections that are silent for minutes, as they are while a run waits for workers.
    const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, onConnection)
    server.once('error', reject)
    server.listen({ host, port }, () => {
      // A later error is temporary, e.g. no file descriptor is left to accept a connection with.
      server.off('error', reject).on('error', () => undefined)
      resolve(server)
    })
  })
}

function bindFailure(error: NodeJS.ErrnoException | undefined, port: number): string {
  if (error?.code === 'EADDRINUSE') return `the port ${port} is in use; choose another, or 0 for a free one.`
  return `cannot listen there: ${error?.message ?? 'the host has no address.'}`
}
