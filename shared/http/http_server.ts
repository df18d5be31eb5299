import type http from 'node:http'
import type { Socket } from 'node:net'
import { RunError } from '../kit/errors.ts'

/** What anybody who reaches a port may take up. */
export interface HttpLimits {
  connections: number
  /** How long a request may take to come, and a connection may be idle. */
  patienceMs: number
}

export interface ListeningServer {
  port: number
  /** Ends it at once, with all its connections. */
  close(): Promise<void>
}

/** A request of a person's browser or of Prometheus has a few hundred bytes of headers. */
const MAX_HEADER_BYTES = 8 * 1024

/** Settings with which nobody holds up an HTTP server by sending slowly, or without end. */
export function boundedHttp({ patienceMs }: HttpLimits): http.ServerOptions {
  return { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: patienceMs, requestTimeout: patienceMs, keepAliveTimeout: patienceMs, connectionsCheckingInterval: patienceMs / 2 }
}

/**
 * Listens.
 * @param at.port 0 takes a free one
 * @param at.option the option that asks for it, for the error
 * @throws RunError when the port cannot be had.
 */
export async function listenHttp(server: http.Server, at: { host: string; port: number; option: string }, { connections, patienceMs }: HttpLimits): Promise<ListeningServer> {
  server.maxConnections = connections
  // Also for who asks and does not take the answer.
  server.setTimeout(patienceMs)
  // With those that are in a TLS handshake, or have become WebSockets, of which Node's own list does not know.
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
      // E.g. no descriptor left to accept a connection with: there will be one again.
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
