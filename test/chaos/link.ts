import net from 'node:net'

type State = 'open' | 'cut' | 'silent'

interface Pair {
  /** Socket to the worker, which connected. */
  near: net.Socket
  /** Socket to the coordinator, which the worker wanted to reach. */
  far: net.Socket
}

/**
 * The network between one worker and the coordinator, as a TCP proxy on loopback that fails on demand.
 * `cut`: connections are reset, and new ones refused. `silence`: a partition; nothing passes in either direction, without
 * a sign to either end, as with a pulled cable. `heal` ends both; bytes held back by a partition then arrive late.
 */
export class FaultyLink {
  readonly #server: net.Server
  readonly #target: number
  readonly #pairs = new Set<Pair>()
  #state: State = 'open'

  private constructor(target: number) {
    this.#target = target
    this.#server = net.createServer({ noDelay: true, allowHalfOpen: true }, (near) => this.#accept(near))
  }

  /** Listens on a free port. @param target port of the coordinator on loopback; it need not listen yet. */
  static async open(target: number): Promise<FaultyLink> {
    const link = new FaultyLink(target)
    await new Promise<void>((resolve, reject) => {
      link.#server.once('error', reject)
      link.#server.listen(0, '127.0.0.1', resolve)
    })
    return link
  }

  /** Address that the worker is given as the coordinator's. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`
  }

  cut(): void {
    this.#state = 'cut'
    for (const pair of [...this.#pairs]) this.#reset(pair)
  }

  silence(): void {
    this.#state = 'silent'
    for (const { near, far } of this.#pairs) {
      near.pause()
      far.pause()
    }
  }

  heal(): void {
    this.#state = 'open'
    for (const { near, far } of this.#pairs) {
      near.resume()
      far.resume()
    }
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #accept(near: net.Socket): void {
    if (this.#state === 'cut') {
      near.on('error', () => undefined)
      reset(near)
      return
    }
    const far = net.connect({ port: this.#target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    const pair = { near, far }
    this.#pairs.add(pair)
    this.#forward(pair, near, far)
    this.#forward(pair, far, near)
    // A partition also holds back the bytes of a connection that is made during it.
    if (this.#state === 'silent') {
      near.pause()
      far.pause()
    }
  }

  #forward(pair: Pair, from: net.Socket, to: net.Socket): void {
    from.on('data', (data) => {
      if (!to.write(data)) from.pause()
    })
    to.on('drain', () => {
      if (this.#state === 'open') from.resume()
    })
    from.on('end', () => to.end())
    from.on('error', () => this.#reset(pair))
    from.on('close', () => {
      if (pair.near.destroyed && pair.far.destroyed) this.#pairs.delete(pair)
    })
  }

  #reset(pair: Pair): void {
    this.#pairs.delete(pair)
    reset(pair.near)
    reset(pair.far)
  }
}

/** Resets a socket, or destroys one that is already ending: Node cannot reset it, and would leave it open for ever. */
function reset(socket: net.Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
