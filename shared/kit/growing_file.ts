import { open } from 'node:fs/promises'
import { Turns } from './async.ts'
import { messageOf, WriteError } from './errors.ts'

/**
 * A file that only grows, and is written in the background: a disk that hangs, as one in the network may, holds up nobody but who waits for it.
 * Content that the disk refuses waits, in its order, for the next write, and never stands half in the file.
 */
export class GrowingFile {
  readonly path: string
  readonly #durable: boolean
  readonly #writes = new Turns()
  /** Write that will take all that waits, and has not begun. */
  #next: Promise<void> | undefined
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #abandoned = false

  /** @param options.durable true: what is written survives a power cut (fsync) */
  constructor(path: string, { durable = false }: { durable?: boolean } = {}) {
    this.path = path
    this.#durable = durable
  }

  /** Number of bytes that are not in the file yet. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Adds content at the end; `write` puts it into the file. It must not be changed afterwards. */
  add(content: Buffer): void {
    if (this.#abandoned) return
    this.#waiting.push(content)
    this.#waitingBytes += content.length
  }

  /**
   * Writes all that waits, after the writes before.
   * @throws WriteError if the disk refuses: all of it then goes on waiting
   */
  write(): Promise<void> {
    return (this.#next ??= this.#writes.take(() => this.#writeAll()))
  }

  /** Settles when all writes so far have ended, whether or not they failed. */
  settled(): Promise<void> {
    return this.#writes.ended()
  }

  /** Drops what waits, and all that is added from now on. */
  abandon(): void {
    this.#abandoned = true
    this.#waiting = []
    this.#waitingBytes = 0
  }

  async #writeAll(): Promise<void> {
    this.#next = undefined
    const taken = this.#waiting
    if (taken.length === 0) return
    this.#waiting = []
    const content = Buffer.concat(taken)
    try {
      await appendWhole(this.path, content, this.#durable)
    } catch (error) {
      if (!this.#abandoned) this.#waiting = [...taken, ...this.#waiting]
      throw new WriteError(`${this.path} cannot be written: ${messageOf(error)}.`, { cause: error })
    }
    if (!this.#abandoned) this.#waitingBytes -= content.length
  }
}

/** Appends all of the content to a file, or nothing: if the disk refuses in the middle, the file is cut back to its former length. */
async function appendWhole(file: string, content: Buffer, durable: boolean): Promise<void> {
  const handle = await open(file, 'a')
  try {
    const { size } = await handle.stat()
    try {
      await handle.writeFile(content)
      if (durable) await handle.sync()
    } catch (error) {
      await handle.truncate(size)
      throw error
    }
  } finally {
    await handle.close()
  }
}
