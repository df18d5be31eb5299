import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { WINDOW_BYTES } from '../../shared/wire/service.ts'

export interface ConnectionLimits {
  /** Connections that belong to no worker: when there are more, the oldest of them goes. */
  nameless: number
  /** How long a connection may belong to no worker. */
  namelessMs: number
}

interface Connection {
  socket: Socket
  http2: ServerHttp2Session | undefined
  /** Sessions of workers that it belongs to. */
  owners: number
  deadline: NodeJS.Timeout | undefined
}

/** Large frames save work on a stream of megabytes. */
const FRAME_BYTES = 1024 * 1024

/**
 * The connections to the coordinator's port. Whoever connects has some seconds to show that it is a worker; raw
 * connections, unfinished TLS handshakes and idle HTTP/2 are all the same here. A connection is known by its peer,
 * address and port, which is what grpc-js tells of a call.
 */
export class Connections {
  readonly #limits: ConnectionLimits
  readonly #byPeer = new Map<string, Connection>()
  /** In the order of their coming. */
  readonly #nameless = new Set<Connection>()

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#byPeer.size
  }

  /** Watches over a connection that has just come. */
  add(socket: Socket): void {
    const peer = peerOf(socket)
    const connection: Connection = { socket, http2: undefined, owners: 0, deadline: undefined }
    // How it breaks off is of no interest.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#recognise(connection)
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer)
    })
    this.#byPeer.set(peer, connection)
    this.#suspect(connection)
  }

  /** Tells of the HTTP/2 session on a connection. */
  attach(http2: ServerHttp2Session): void {
    const connection = this.#byPeer.get(peerOf(http2.socket))
    if (connection !== undefined) connection.http2 = http2
  }

  /** The connection belongs to a worker's session. */
  claim(peer: string): void {
    const connection = this.#byPeer.get(peer)
    if (connection === undefined) return
    connection.owners++
    this.#recognise(connection)
  }

  /** A session that the connection belonged to is over. */
  release(peer: string): void {
    const connection = this.#byPeer.get(peer)
    if (connection === undefined || --connection.owners > 0) return
    this.#suspect(connection)
  }

  /**
   * Opens the window of a connection on which a worker sends its gradients: with the default of 64 KiB, an upload
   * waits for a window update every 64 KiB (measured on loopback: 31-43 ms for 8.9 MB, against 6-8 ms with a large
   * window). Only for workers, since this much a peer can make the coordinator keep in memory.
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
    // Who fills the port with idle connections loses them first; a worker says who it is within milliseconds.
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

/** The host of a peer HOST:PORT, as it stands in an address: IPv6 in brackets. */
export function hostOf(peer: string): string {
  const host = peer.slice(0, peer.lastIndexOf(':')).replace(/^::ffff:(?=\d+\.)/, '')
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
