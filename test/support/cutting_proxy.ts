import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A TCP proxy on loopback, which is a way to a coordinator that can be cut. */
export class CuttingProxy {
  readonly #server: Server
  readonly #target: { host: string; port: number }
  readonly #pairs: { worker: Socket; coordinator: Socket }[] = []

  private constructor(target: string) {
    const [host = '', port] = target.split(':')
    this.#target = { host, port: Number(port) }
    this.#server = createServer((worker) => this.#join(worker))
  }

  static async to(target: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Destroys the worker's side of its connections; the coordinator's side stays open, with nothing at its other end. */
  cutHalf(): void {
    for (const { worker } of this.#pairs.splice(0)) worker.destroy()
  }

  close(): void {
    for (const { worker, coordinator } of this.#pairs) {
      worker.destroy()
      coordinator.destroy()
    }
    this.#server.close()
  }

  #join(worker: Socket): void {
    const coordinator = connect(this.#target)
    this.#pairs.push({ worker, coordinator })
    for (const socket of [worker, coordinator]) socket.on('error', () => undefined)
    worker.on('data', (data) => coordinator.write(data))
    coordinator.on('data', (data) => worker.write(data))
    // The worker's side closes with the coordinator's; a cut of the worker's side is not passed on to the coordinator.
    coordinator.on('close', () => worker.destroy())
  }
}
