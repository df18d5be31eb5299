import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { WINDOW_BYTES } from '../../shared/wire/service.ts'

export interface ConnectionLimits {
  /** Largest number of connections that belong to no session; if there are more, the oldest of them is closed. */
  nameless: number
  /** Longest time in milliseconds for which a connection may belong to no session. */
  namelessMs: number
}

interface Connection {
  socket: Socket
  http2: ServerHttp2Session | undefined
  /** Number of sessions that it belongs to. */
  owners: number
  deadline: NodeJS.Timeout | undefined
}

/** Size of HTTP/2 frames; large ones cost less on a stream of megabytes. */
const FRAME_BYTES = 1024 * 1024

/**
 * The connections to the port of a coordinator or reducer. A peer has some seconds to open a session, as a worker, a reducer or
 * a watcher; raw connections, unfinished TLS handshakes and idle HTTP/2 are all treated alike. A connection is identified by
 * its peer, HOST:PORT, because that is what grpc-js tells about a call.
 */
export class Connections {
  readonly #limits: ConnectionLimits
  readonly #byPeer = new Map<string, Connection>()
  /** Connections that belong to no session, longest first. */
  readonly #nameless = new Set<Connection>()

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#byPeer.size
  }

  /** Adds a new connection, which belongs to no session yet. */
  add(socket: Socket): void {
    const peer = peerOf(socket)
    const connection: Connection = { socket, http2: undefined, owners: 0, deadline: undefined }
    // The cause of an error does not matter: 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#recognise(connection)
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer)
    })
    this.#byPeer.set(peer, connection)
    this.#suspect(connection)
  }

  /** Notes the HTTP/2 session on a connection. */
  attach(http2: ServerHttp2Session): void {
    const connection = this.#byPeer.get(peerOf(http2.socket))
    if (connection !== undefined) connection.http2 = http2
  }

  /** Notes that a connection belongs to a session. @param peer HOST:PORT */
  claim(peer: string): void {
    const connection = this.#byPeer.get(peer)
    if (connection === undefined) return
    connection.owners++
    this.#recognise(connection)
  }

  /** Notes that a session to which a connection belonged is over. @param peer HOST:PORT */
  release(peer: string): void {
    const connection = this.#byPeer.get(peer)
    if (connection === undefined || --connection.owners > 0) return
    this.#suspect(connection)
  }

  /**
   * Enlarges the receive window of a connection that carries gradients or the state of a reducer: with the default of
   * 64 KiB, an upload waits for a window update every 64 KiB (measured on loopback: 31-43 ms for 8.9 MB, against 6-8 ms
   * with a large window). For members only, since a peer can make this process keep that much in memory.
   * @param peer HOST:PORT
   */
  widen(peer: string): void {
    const http2 = this.#byPeer.get(peer)?.http2
    if (http2 === undefined || http2.destroyed) return
    http2.settings({ initialWindowSize: WINDOW_BYTES, maxFrameSize: FRAME_BYTES })
    http2.setLocalWindowSize(WINDOW_BYTES)
  }

  closeNameless(): void {
    for (const { socket } of this.#nameless) socket.destroy()
  }

  closeAll(): void {
    for (const { socket } of this.#byPeer.values()) socket.destroy()
  }

  #suspect(connection: Connection): void {
    if (connection.socket.destroyed) return
    this.#nameless.add(connection)
    connection.deadline = setTimeout(() => connection.socket.destroy(), this.#limits.namelessMs)
    // A peer that fills the port with idle connections loses them first; a worker opens its session within milliseconds.
    const [oldest] = this.#nameless
    if (this.#nameless.size > this.#limits.nameless) oldest.socket.destroy()
  }

  #recognise(connection: Connection): void {
    this.#nameless.delete(connection)
    clearTimeout(connection.deadline)
  }
}

function peerOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${socket.remoteAddress}:${socket.remotePort}`
}

/** Extracts the host of a peer HOST:PORT for use in an address: IPv6 in brackets, IPv4-mapped IPv6 as IPv4. */
export function hostOf(peer: string): string {
  const host = peer.slice(0, peer.lastIndexOf(':')).replace(/^::ffff:(?=\d+\.)/, '')
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
