import { randomBytes } from 'node:crypto'

import path from 'node:path'
import { makeFolders } from '../../../kit/folders.ts'
import { Turns } from '../../../kit/async.ts'
import { messageOf } from '../../../kit/errors.ts'
import type { DecodedImage } from '../../transforms/decode.ts'
import { Buffers } from './buffers.ts'
import { pixelBytes, SLOT_BYTES, variantOf, type Entry } from './entry.ts'
import { makeRoom, segmentName, segmentsOf } from './room.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment_writer.ts'

export interface PixelCacheOptions {
  folder: string
  /** Limit in bytes of all segments of the folder together. */
  limitBytes: number
  /** Knows the hashes (sha256, in hexadecimal) of the image files that will be asked for. */
  files: { has(sha256: string): boolean; readonly size: number }
  /** Short side to which larger images are reduced while they are decoded, in pixels. */
  shortSide: number
  /** Clock in milliseconds since 1970. */
  now: () => number
  /** Called once, with the reason, when no more images can be kept. */
  warn: (text: string) => void
  observer?: PixelCacheObserver
}

export interface PixelCacheObserver {
  onRead(bytes: number): void
  onWrite(bytes: number): void
  /** Called when pixels that an index lists are missing or do not match their checksum. */
  onDamage(): void
}

/** Number of reads at a time: more than libuv has threads for them. */
const READS = 8
/** Limit of the memory of images that wait to be written; beyond it, images are left for the next epoch. */
const QUEUE_BYTES = 64 * 1024 * 1024
/** Number of segments that fill the limit: what is removed at once to make room, and what a crash can cost, is a small part of it. */
const SEGMENTS_IN_LIMIT = 16
const MAX_SEGMENT_BYTES = 1024 ** 3
/** Most bytes that are written before the folder's size is measured again, since other processes write to it too. */
const MAX_ROOM_STEP_BYTES = 64 * 1024 * 1024
/** Least time between two looks at what other processes have written: in milliseconds, and as a multiple of the time that a look takes. */
const LOOK_MS = 1000
const LOOK_REST = 50

/**
 * A cache of decoded images on disk, for all processes and runs of a machine, by the content of the images' files. It is a folder of
 * segments, each a packed file of pixels with an index. Each process writes segments of its own and reads those of all, so that none waits
 * for a lock and no crash leaves a lock behind. Every image is checked when it is read: one that is damaged, cut off or gone is decoded again.
 *
 * Segments that no process uses are removed when the limit is reached, the least recently used first. No segment with an image of this
 * data set is removed for another image: an epoch uses each image once, so replacing one by another would only cost time.
 */
export class PixelCache {
  readonly #options: PixelCacheOptions
  readonly #variant: string
  readonly #openedAt: number
  /** Place of the pixels of each file that has some, by the file's hash. */
  readonly #places = new Map<string, { segment: Segment; entry: Entry }>()
  readonly #segments = new Map<string, Segment>()
  /** Names of the segments that hold images of this data set. */
  readonly #inUse = new Set<string>()
  readonly #buffers = new Buffers(READS)
  #looking: Promise<void> | undefined
  #nextLook = 0
  #writer: { own: SegmentWriter; segment: Segment } | undefined
  readonly #writing = new Turns()
  readonly #queued = new Set<string>()
  #queuedBytes = 0
  /** Bytes that may still be written before the folder's size is measured again. */
  #granted = 0
  #bytes = 0
  #ended = false

  private constructor(options: PixelCacheOptions) {
    this.#options = options
    this.#variant = variantOf(options.shortSide)
    this.#openedAt = options.now()
  }

  /** Opens the cache. Never fails: a folder that is missing or cannot be read counts as empty. */
  static async open(options: PixelCacheOptions): Promise<PixelCache> {
    const cache = new PixelCache(options)
    // The limit may have been larger before, so the folder can be beyond it.
    cache.#bytes = (await makeRoom(options.folder, options.limitBytes, 0, () => true)).total
    await cache.#look()
    return cache
  }

  /** Bytes of all segments when they were last measured, and of what this process has written since. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Hands an image to `use` if it is there and sound.
   * @param sha256 hash of the image's file, in hexadecimal
   * @param use must not keep the pixels: their memory is used again
   * @returns true if `use` was called
   */
  async read(sha256: string, use: (image: DecodedImage) => void): Promise<boolean> {
    if (this.#places.get(sha256) === undefined) await this.#lookAgain()
    const place = this.#places.get(sha256)
    if (place === undefined) return false
    const { segment, entry } = place
    const bytes = pixelBytes(entry)
    return this.#buffers.with(bytes, async (buffer) => {
      if (await segment.read(entry, buffer).catch(() => false)) {
        this.#options.observer?.onRead(bytes)
        use({ data: buffer.subarray(0, bytes), width: entry.width, height: entry.height })
        return true
      }
      if (this.#places.get(sha256) === place) this.#places.delete(sha256)
      this.#options.observer?.onDamage()
      return false
    })
  }

  /** Keeps an image if there is room. It is written in the background, and must not be changed. */
  offer(sha256: string, image: DecodedImage): void {
    const known = !this.#options.files.has(sha256) || this.#places.has(sha256) || this.#queued.has(sha256)
    if (this.#ended || known || this.#queuedBytes + image.data.length > QUEUE_BYTES) return
    this.#queued.add(sha256)
    this.#queuedBytes += image.data.length
    void this.#writing.take(async () => {
      await this.#append(sha256, image).catch((error: unknown) => this.#giveUp(error))
      this.#queued.delete(sha256)
      this.#queuedBytes -= image.data.length
    })
  }

  /** Closes the cache. Settles when all images that were offered are written. */
  async close(): Promise<void> {
    await this.#writing.ended()
    this.#ended = true
    await this.#endSegment()
    await Promise.all([...this.#segments.values()].map((segment) => segment.close()))
  }

  async #append(sha256: string, image: DecodedImage): Promise<void> {
    if (this.#ended) return
    const { folder, limitBytes, observer, now } = this.#options
    await this.#takeRoom(image.data.length + SLOT_BYTES)
    const segmentBytes = Math.min(limitBytes / SEGMENTS_IN_LIMIT, MAX_SEGMENT_BYTES)
    if (this.#writer !== undefined && this.#writer.own.bytes + image.data.length > segmentBytes) await this.#endSegment()
    if (this.#writer === undefined) {
      const name = segmentName(this.#variant, now(), randomBytes(4))
      const own = await SegmentWriter.create(path.join(folder, name), this.#variant)
      this.#writer = { own, segment: this.#segmentOf(name) }
      this.#inUse.add(name)
    }
    const { own, segment } = this.#writer
    this.#places.set(sha256, { segment, entry: await own.append(sha256, image) })
    observer?.onWrite(image.data.length)
  }

  /** Reserves room for so many bytes, and removes old segments if that is necessary. @throws Error if there is no room */
  async #takeRoom(bytes: number): Promise<void> {
    if (bytes > this.#granted) {
      const { folder, limitBytes } = this.#options
      await makeFolders(folder, 0o700)
      const step = Math.max(bytes, Math.min(limitBytes / SEGMENTS_IN_LIMIT, MAX_ROOM_STEP_BYTES))
      const { full, total } = await makeRoom(folder, limitBytes, step, (name, usedAt) => usedAt < this.#openedAt && !this.#inUse.has(name))
      this.#bytes = total
      if (full === 'limit') throw new Error(`its limit is reached with ${this.#places.size} of the ${this.#options.files.size} images of this data set`)
      if (full === 'disk') throw new Error('the disk is nearly full')
      this.#granted = step
    }
    this.#granted -= bytes
    this.#bytes += bytes
  }

  async #giveUp(error: unknown): Promise<void> {
    this.#ended = true
    this.#options.warn(`no more decoded images are kept in ${this.#options.folder}: ${messageOf(error)}. Training goes on, and decodes the others in every epoch. --cache-size is its limit; 0 does without.`)
    await this.#endSegment().catch(() => undefined)
  }

  async #endSegment(): Promise<void> {
    const { own } = this.#writer ?? {}
    this.#writer = undefined
    await own?.close()
  }

  #segmentOf(name: string): Segment {
    let segment = this.#segments.get(name)
    if (segment === undefined) {
      segment = new Segment(path.join(this.#options.folder, name), this.#variant, this.#options.now)
      this.#segments.set(name, segment)
    }
    return segment
  }

  /** Looks for images that other processes have written meanwhile, but not every time that one is missing, since a look takes time. */
  async #lookAgain(): Promise<void> {
    if (this.#looking === undefined && this.#options.now() < this.#nextLook) return
    await (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)))
  }

  /** Forgets segments that are gone from the folder, and reads the new entries of the others. */
  async #look(): Promise<void> {
    const { folder, now, files } = this.#options
    const begin = now()
    const names = await segmentsOf(folder, this.#variant)
    for (const [name, segment] of this.#segments) if (!names.includes(name)) await this.#forget(name, segment)
    for (const name of names) {
      const segment = this.#segmentOf(name)
      const wanted = (await segment.newEntries().catch(() => [])).filter(({ sha256 }) => files.has(sha256))
      for (const entry of wanted) this.#places.set(entry.sha256, { segment, entry })
      if (wanted.length > 0) this.#inUse.add(name)
      if (this.#inUse.has(name)) await segment.touch()
    }
    this.#nextLook = now() + Math.max(LOOK_MS, LOOK_REST * (now() - begin))
  }

  /** Forgets a segment that another process has removed. Reads that have begun come to their end. */
  async #forget(name: string, segment: Segment): Promise<void> {
    this.#segments.delete(name)
    this.#inUse.delete(name)
    void this.#writing.take(() => (this.#writer?.segment === segment ? this.#endSegment().catch(() => undefined) : undefined))
    await segment.close().catch(() => undefined)
  }
}
