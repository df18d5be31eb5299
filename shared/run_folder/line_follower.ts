import { open, type FileHandle } from 'node:fs/promises'
import type { z } from 'zod'
import { messageOf, RunError } from '../kit/errors.ts'
import { parsed } from './json_files.ts'

/** Bytes that are read at a time: a file of weeks may be larger than any string. */
const SLICE_BYTES = 1024 * 1024
const LINE_END = 10

/** What receives the lines of a file. */
export interface LineTaker<T> {
  take: (line: T) => void
  /** Called before the first line if the file is another than the one whose lines were handed on before, so that they count no more. */
  beginAgain?: () => void
}

/** Reads a file of JSON lines that grows, each line once. A last line without a line end is still being written, or was cut off by a crash: it is left for later. */
export class LineFollower<T> {
  readonly #file: string
  readonly #schema: z.ZodType<T>
  /** Bytes of the file that were handed on, and their number of lines. */
  #end = 0
  #count = 0
  /** Last of these lines, by which the file is known again. */
  #last: Buffer = Buffer.alloc(0)

  constructor(file: string, schema: z.ZodType<T>) {
    this.#file = file
    this.#schema = schema
  }

  /**
   * Hands on the lines that the file has got since the last call; none if it does not exist.
   * @throws RunError that names the file, and the line that does not fit the schema; those before it were handed on, and the next call begins with it
   */
  async read({ take, beginAgain = () => undefined }: LineTaker<T>): Promise<void> {
    try {
      const handle = await open(this.#file)
      try {
        if (!(await this.#isKnown(handle))) this.#forget(beginAgain)
        await this.#readOn(handle, take)
      } finally {
        await handle.close()
      }
    } catch (error) {
      if (error instanceof RunError) throw error
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new RunError(`${this.#file} cannot be read: ${messageOf(error)}.`, { cause: error })
      if (this.#end > 0) this.#forget(beginAgain)
    }
  }

  /** True if the file still has, at its place, the line that was handed on last. */
  async #isKnown(handle: FileHandle): Promise<boolean> {
    const { length } = this.#last
    if (length === 0) return true
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, this.#end - length)
    return buffer.equals(this.#last)
  }

  #forget(beginAgain: () => void): void {
    this.#end = 0
    this.#count = 0
    this.#last = Buffer.alloc(0)
    beginAgain()
  }

  async #readOn(handle: FileHandle, take: (line: T) => void): Promise<void> {
    for (let rest: Buffer = Buffer.alloc(0); ;) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(SLICE_BYTES), 0, SLICE_BYTES, this.#end + rest.length)
      if (bytesRead === 0) return
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)])
      let begin = 0
      for (let end = bytes.indexOf(LINE_END); end !== -1; end = bytes.indexOf(LINE_END, begin)) {
        this.#hand(bytes.subarray(begin, end + 1), take)
        begin = end + 1
      }
      rest = bytes.subarray(begin)
    }
  }

  #hand(line: Buffer, take: (line: T) => void): void {
    take(parsed(`${this.#file}, line ${this.#count + 1},`, this.#schema, line.toString()))
    this.#end += line.length
    this.#count++
    this.#last = Buffer.from(line)
  }
}
