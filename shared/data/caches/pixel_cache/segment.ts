import { open, utimes, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { entryOf, headOf, pixelBytes, SLOT_BYTES, type Entry } from './entry.ts'

export const PIXELS = '.pixels'
export const INDEX = '.index'

/** How much of an index is read at a time, in whole slots. */
const INDEX_BLOCK_BYTES = 1024 * SLOT_BYTES
/** How often a segment that is read from is marked as used. */
const TOUCH_MS = 60_000

/** A segment for reading: a file of pixels and its index, which its writer may still be adding to. */
export class Segment {
  readonly #base: string
  readonly #variant: string
  readonly #now: () => number
  /** Bytes of the index that are known. */
  #known = 0
  #foreign = false
  #closed = false
  #pixels: Promise<FileHandle> | undefined
  #touchedAt = Number.NEGATIVE_INFINITY

  /** @param base path of both files, without their endings @param now milliseconds since 1970 */
  constructor(base: string, variant: string, now: () => number) {
    this.#base = base
    this.#variant = variant
    this.#now = now
  }

  /** What its index has got since the last call. What is damaged in it is left out; an index that is not ours has nothing. */
  async newEntries(): Promise<Entry[]> {
    if (this.#foreign) return []
    const entries: Entry[] = []
    const index = await open(this.#base + INDEX, 'r')
    try {
      const block = Buffer.allocUnsafe(INDEX_BLOCK_BYTES)
      for (;;) {
        const { bytesRead } = await index.read(block, 0, block.length, this.#known)
        const whole = bytesRead - (bytesRead % SLOT_BYTES)
        let at = 0
        if (this.#known === 0 && whole > 0) {
          this.#foreign = !block.subarray(0, SLOT_BYTES).equals(headOf(this.#variant))
          if (this.#foreign) return []
          at = SLOT_BYTES
        }
        for (; at < whole; at += SLOT_BYTES) {
          const entry = entryOf(block.subarray(at, at + SLOT_BYTES))
          if (entry !== undefined) entries.push(entry)
        }
        this.#known += whole
        if (whole < block.length) return entries
      }
    } finally {
      await index.close()
    }
  }

  /**
   * Reads an image's pixels by position, so that several can be read at a time.
   * @param buffer at least as long as the pixels
   * @returns whether they are what the entry says
   */
  async read(entry: Entry, buffer: Buffer): Promise<boolean> {
    if (this.#closed) return false
    const bytes = pixelBytes(entry)
    const pixels = await (this.#pixels ??= open(this.#base + PIXELS, 'r'))
    for (let done = 0; done < bytes; ) {
      const { bytesRead } = await pixels.read(buffer, done, bytes - done, entry.offset + done)
      if (bytesRead === 0) return false
      done += bytesRead
    }
    if (crc32(buffer.subarray(0, bytes)) !== entry.crc) return false
    await this.touch()
    return true
  }

  /** Marks it as used, so that it goes last when room is made. Where that is not allowed, it goes sooner. */
  async touch(): Promise<void> {
    const now = this.#now()
    if (now - this.#touchedAt < TOUCH_MS) return
    this.#touchedAt = now
    await utimes(this.#base + PIXELS, now / 1000, now / 1000).catch(() => undefined)
  }

  /** Reads that have begun come to their end; later ones find nothing. */
  async close(): Promise<void> {
    this.#closed = true
    const pixels = await this.#pixels?.catch(() => undefined)
    await pixels?.close()
  }
}
