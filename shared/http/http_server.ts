import type http from 'node:http'
import type { Socket } from 'node:net'
import { RunError } from '../kit/errors.ts'

/** Limits on what all clients of a port can take up. */
export interface HttpLimits {
  /** Number of connections at a time. */
  connections: number
  /** Time in milliseconds in which a request must arrive, and for which a connection may be idle. */
  patienceMs: number
}

export interface ListeningServer {
  port: number
  /** Closes the server at once, with all its connections. */
  close(): Promise<void>
}

/** Limit of a request's headers in bytes; those of a browser or of Prometheus have a few hundred. */
const MAX_HEADER_BYTES = 8 * 1024

/** Returns settings with which no client can hold up an HTTP server by sending slowly, or without end. */
export function boundedHttp({ patienceMs }: HttpLimits): http.ServerOptions {
  return { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: patienceMs, requestTimeout: patienceMs, keepAliveTimeout: patienceMs, connectionsCheckingInterval: patienceMs / 2 }
}

/**
 * Makes a server listen, within the limits.
 * @param at.port 0 for any free port
 * @param at.option name of the option that sets the port, for the error
 * @returns the port on which the server listens
 * @throws RunError if the port is in use or cannot be opened.
 */
export async function listenHttp(server: http.Server, at: { host: string; port: number; option: string }, { connections, patienceMs }: HttpLimits): Promise<ListeningServer> {
  server.maxConnections = connections
  // This timeout also ends the connection of a client that sends a request and does not read the answer.
  server.setTimeout(patienceMs)
  // The set also has connections in a TLS handshake and WebSockets, which are missing in Node's own list.
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => {
      const why = error.code === 'EADDRINUSE' ? 'the port is in use; choose another, or 0 for a free one.' : error.message
      reject(new RunError(`${at.option} ${at.port}: ${why}`))
    }
    server.once('error', refuse)
    server.listen(at.port, at.host, () => {
      // Later errors pass, e.g. when no descriptor is left with which to accept a connection.
      server.off('error', refuse).on('error', () => undefined)
      resolve()
    })
  })
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : at.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
