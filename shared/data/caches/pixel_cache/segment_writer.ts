import { open, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { makeFolders } from '../../../kit/folders.ts'
import type { DecodedImage } from '../../transforms/decode.ts'
import { headOf, SLOT_BYTES, slotOf, type Entry } from './entry.ts'
import { INDEX, PIXELS } from './segment.ts'

/**
 * A segment for writing. It belongs to one process, and no other continues it: whatever a crash leaves at the end of either file is
 * detected by the checksums, and disturbs no other entry.
 */
export class SegmentWriter {
  readonly #base: string
  readonly #pixels: FileHandle
  readonly #index: FileHandle
  #pixelsEnd = 0
  #indexEnd = SLOT_BYTES

  private constructor(base: string, pixels: FileHandle, index: FileHandle) {
    this.#base = base
    this.#pixels = pixels
    this.#index = index
  }

  /** Creates both files of a segment. @param base path of both files, without their extensions @throws the file system's error */
  static async create(base: string, variant: string): Promise<SegmentWriter> {
    // Images may be private: other users of the machine must not see them.
    await makeFolders(path.dirname(base), 0o700)
    const pixels = await open(base + PIXELS, 'wx')
    let index: FileHandle | undefined
    try {
      index = await open(base + INDEX, 'wx')
      await writeWhole(index, headOf(variant), 0)
      return new SegmentWriter(base, pixels, index)
    } catch (error) {
      await Promise.all([pixels.close(), index?.close()])
      await remove(base)
      throw error
    }
  }

  /** Bytes of pixels written so far. */
  get bytes(): number {
    return this.#pixelsEnd
  }

  /**
   * Writes the pixels first and then their entry, so that a process that reads the index finds them.
   * @throws the file system's error; the segment must then be closed
   */
  async append(sha256: string, { data, width, height }: DecodedImage): Promise<Entry> {
    const entry = { sha256, offset: this.#pixelsEnd, width, height, crc: crc32(data) }
    await writeWhole(this.#pixels, data, this.#pixelsEnd)
    await writeWhole(this.#index, slotOf(entry), this.#indexEnd)
    this.#pixelsEnd += data.length
    this.#indexEnd += SLOT_BYTES
    return entry
  }

  /** Closes both files, and removes them if they hold no image. */
  async close(): Promise<void> {
    await Promise.all([this.#pixels.close(), this.#index.close()])
    if (this.#pixelsEnd === 0) await remove(this.#base)
  }
}

async function writeWhole(file: FileHandle, data: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) done += (await file.write(data, done, data.length - done, position + done)).bytesWritten
}

/** Removes both files, the index first: pixels without an index are never looked for. */
async function remove(base: string): Promise<void> {
  await rm(base + INDEX, { force: true })
  await rm(base + PIXELS, { force: true })
}
