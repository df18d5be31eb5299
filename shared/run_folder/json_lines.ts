import { open } from 'node:fs/promises'
import type { z } from 'zod'
import { messageOf, RunError, WriteError } from '../kit/errors.ts'
import { GrowingFile } from '../kit/growing_file.ts'
import { checked } from './json_files.ts'
import { LineFollower } from './line_follower.ts'

/**
 * A file of JSON lines that only grows, in the background and in the order of the calls. Lines that cannot be written (disk full) are kept in memory
 * and written before the next one: a failure leaves no half line in the file, and loses no line.
 */
export class JsonLines<T> {
  readonly file: string
  readonly #schema: z.ZodType<T>
  readonly #lines: GrowingFile

  /** @param options.durable true: lines survive a power cut */
  constructor(file: string, schema: z.ZodType<T>, options: { durable?: boolean } = {}) {
    this.file = file
    this.#schema = schema
    this.#lines = new GrowingFile(file, options)
  }

  /**
   * Appends one line. Settles when it is in the file.
   * @throws RunError at once if the value does not fit the schema
   * @throws WriteError if the disk refuses: the line then waits
   */
  append(value: T): Promise<void> {
    this.#lines.add(Buffer.from(`${JSON.stringify(checked(this.file, this.#schema, value))}\n`))
    return this.#lines.write()
  }

  /**
   * Writes the lines that wait.
   * @throws WriteError if the disk still refuses
   */
  flush(): Promise<void> {
    return this.#lines.write()
  }

  /** Drops the lines that wait, and all that are appended from now on. */
  abandon(): void {
    this.#lines.abandon()
  }

  /** Settles when nothing is being written any more. */
  settled(): Promise<void> {
    return this.#lines.settled()
  }

  /**
   * Writes the lines that wait, and waits until all lines survive a power cut.
   * @throws WriteError if the disk refuses
   */
  async sync(): Promise<void> {
    await this.flush()
    try {
      const handle = await open(this.file, 'r+')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    } catch (error) {
      throw new WriteError(`${this.file} cannot be written: ${messageOf(error)}.`, { cause: error })
    }
  }

  /**
   * Reads the lines of the file, those too that are being written; none if it does not exist. A last line without a line end was cut off by a crash, and is left out.
   * @throws RunError that names the file and the line that does not fit the schema
   */
  async read(): Promise<T[]> {
    await this.settled()
    const lines: T[] = []
    await this.follow().read({ take: (line) => lines.push(line) })
    return lines
  }

  /** Returns what reads the file's lines, and then those that come to it. */
  follow(): LineFollower<T> {
    return new LineFollower(this.file, this.#schema)
  }

  /**
   * Counts the lines that fit the schema and for which `matches` is true, one by one: a file of weeks may be larger than any string.
   * @throws RunError if the file cannot be read
   */
  async count(matches: (value: T) => boolean): Promise<number> {
    await this.settled()
    let count = 0
    try {
      const handle = await open(this.file)
      for await (const line of handle.readLines()) {
        const parsed = this.#schema.safeParse(parsedOrNull(line))
        if (parsed.success && matches(parsed.data)) count++
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new RunError(`${this.file} cannot be read: ${messageOf(error)}.`, { cause: error })
    }
    return count
  }

  /**
   * Cuts off an incomplete last line that a crash left. Shortening the file needs no room on the disk.
   * @returns number of bytes cut off
   * @throws RunError if the file cannot be changed
   */
  async cutHalfLine(): Promise<number> {
    return cutAfter(this.file, (content) => content.lastIndexOf('\n') + 1)
  }

  /** Drops all lines of the file, sound or not. */
  async clear(): Promise<void> {
    await this.settled()
    await cutAfter(this.file, () => 0)
  }

  /** Cuts the file before the first line for which `drop` is true. */
  async cutFrom(drop: (value: T) => boolean): Promise<void> {
    const keep = (await this.read()).findIndex(drop)
    if (keep === -1) return
    await cutAfter(this.file, (content) => {
      let end = 0
      for (let line = 0; line < keep; line++) end = content.indexOf('\n', end) + 1
      return end
    })
  }
}

/** Parses a line; null if it is no JSON, as half of one is. */
function parsedOrNull(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

/**
 * Shortens a file to the end that `endOf` finds in its content.
 * @returns number of bytes cut off; 0 if the file does not exist
 */
async function cutAfter(file: string, endOf: (content: Buffer) => number): Promise<number> {
  try {
    const handle = await open(file, 'r+')
    try {
      const content = await handle.readFile()
      const end = endOf(content)
      if (end < content.length) await handle.truncate(end)
      await handle.sync()
      return content.length - end
    } finally {
      await handle.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw new RunError(`${file} cannot be repaired: ${messageOf(error)}.`, { cause: error })
  }
}
