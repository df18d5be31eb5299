import { CONTENT_AT, PAGE_BYTES, type MemoryFile } from '../kit/memory_file.ts'
import type { SharedBytes } from './messages.ts'

/** Number of versions of the weights on the board. A worker that is this many versions behind is cut off. */
export const VERSIONS_BEHIND = 4

/** Offset of the newest version's number in the file: right behind the key. */
const NEWEST_AT = 16

/**
 * A file in memory into which a coordinator writes weights once for all workers of its machine. The last versions are stored side by side. The
 * number of the newest version is written before any of its weights, so that a reader of an older version can tell afterwards whether what it
 * read was still intact.
 */
export class WeightsBoard {
  readonly #file: MemoryFile
  readonly #versionBytes: number
  #newest = -1
  #isFull = false

  /** @param floats number of floats in the weight vector */
  constructor(file: MemoryFile, floats: number) {
    this.#file = file
    this.#versionBytes = Math.ceil((floats * Float32Array.BYTES_PER_ELEMENT) / PAGE_BYTES) * PAGE_BYTES
  }

  /**
   * Writes a part of a version's weights.
   * @param offset index of the part's first float in the vector
   * @param bytes the part in the format of the wire, no longer than its floats
   * @returns the place of the bytes; undefined if memory is full: workers must then get the bytes themselves
   */
  post(version: number, offset: number, bytes: Uint8Array): SharedBytes | undefined {
    if (this.#isFull) return undefined
    const at = CONTENT_AT + (version % VERSIONS_BEHIND) * this.#versionBytes + offset * Float32Array.BYTES_PER_ELEMENT
    this.#isFull = !this.#announce(version) || !this.#file.write(at, bytes)
    return this.#isFull ? undefined : { at, length: bytes.length }
  }

  #announce(version: number): boolean {
    if (version <= this.#newest) return true
    this.#newest = version
    const stamp = Buffer.alloc(4)
    stamp.writeUInt32LE(version)
    return this.#file.write(NEWEST_AT, stamp)
  }
}

/**
 * Reads the number of the newest version on a board.
 * @throws ProtocolError if the file is too short for a board
 */
export function newestOn(board: MemoryFile): number {
  const stamp = Buffer.alloc(4)
  board.read(NEWEST_AT, stamp)
  return stamp.readUInt32LE()
}
