import { open, utimes, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { entryOf, headOf, pixelBytes, SLOT_BYTES, type Entry } from './entry.ts'

export const PIXELS = '.pixels'
export const INDEX = '.index'

/** Bytes of an index that are read at a time: whole slots. */
const INDEX_BLOCK_BYTES = 1024 * SLOT_BYTES
/** Least time between two marks that a segment is in use. */
const TOUCH_MS = 60_000

/** A segment for reading: a file of pixels and its index, to both of which their writer may still be adding. */
export class Segment {
  readonly #base: string
  readonly #variant: string
  readonly #now: () => number
  /** Bytes of the index that have been read. */
  #known = 0
  /** True if the index is of another format or variant. */
  #foreign = false
  #closed = false
  #pixels: Promise<FileHandle> | undefined
  #touchedAt = Number.NEGATIVE_INFINITY

  /** @param base path of both files, without their extensions @param now clock in milliseconds since 1970 */
  constructor(base: string, variant: string, now: () => number) {
    this.#base = base
    this.#variant = variant
    this.#now = now
  }

  /**
   * Reads the entries that the index has gained since the last call. Damaged ones are left out; an index of another format or variant has none.
   * @throws the file system's error
   */
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
   * Reads an image's pixels by position, so that several images can be read at a time.
   * @param buffer at least as long as the pixels
   * @returns true if the pixels are all there and match the entry's checksum
   * @throws the file system's error
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

  /** Marks the segment as used, so that it is among the last to be removed when room is made. If marking is not permitted, it is removed sooner. */
  async touch(): Promise<void> {
    const now = this.#now()
    if (now - this.#touchedAt < TOUCH_MS) return
    this.#touchedAt = now
    await utimes(this.#base + PIXELS, now / 1000, now / 1000).catch(() => undefined)
  }

  /** Closes the segment. Reads that have begun come to their end; later ones find nothing. */
  async close(): Promise<void> {
    this.#closed = true
    const pixels = await this.#pixels?.catch(() => undefined)
    await pixels?.close()
  }
}
