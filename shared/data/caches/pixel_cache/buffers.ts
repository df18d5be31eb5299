/** A few buffers that are used again and again: the operating system provides fresh ones of this size page by page, which takes longer than filling them. */
export class Buffers {
  readonly #free: Buffer[]
  readonly #waiting: ((buffer: Buffer) => void)[] = []

  constructor(count: number) {
    this.#free = Array.from({ length: count }, () => Buffer.alloc(0))
  }

  /**
   * Waits until a buffer is free and hands it to `use`.
   * @param bytes the buffer has at least this length
   * @param use may use the buffer until its promise settles
   */
  async with<T>(bytes: number, use: (buffer: Buffer) => Promise<T>): Promise<T> {
    let buffer = this.#free.pop() ?? (await new Promise<Buffer>((resolve) => this.#waiting.push(resolve)))
    try {
      if (buffer.length < bytes) buffer = Buffer.allocUnsafeSlow(bytes)
      return await use(buffer)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(buffer)
      else next(buffer)
    }
  }
}
