import { CONTENT_AT, PAGE_BYTES, type MemoryFile } from '../kit/memory_file.ts'
import type { SharedBytes } from './messages.ts'

/** A worker may be this many versions of the weights behind before it is cut off. */
export const VERSIONS_BEHIND = 4

/** Behind the file's key. */
const NEWEST_AT = 16

/**
 * Where a coordinator writes weights once for all workers of its machine. The last versions stand side by side; which one is the newest
 * is written before anything of it is, so that who reads an old one knows afterwards whether it was still there.
 */
export class WeightsBoard {
  readonly #file: MemoryFile
  readonly #versionBytes: number
  #newest = -1
  #isFull = false

  /** @param floats of the vector */
  constructor(file: MemoryFile, floats: number) {
    this.#file = file
    this.#versionBytes = Math.ceil((floats * Float32Array.BYTES_PER_ELEMENT) / PAGE_BYTES) * PAGE_BYTES
  }

  /**
   * @param offset first float of the vector @param bytes no more than the floats have
   * @returns undefined when memory is full: workers need to get the bytes themselves
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

/** Which version is the newest on a board. @throws ProtocolError when the file is no board */
export function newestOn(board: MemoryFile): number {
  const stamp = Buffer.alloc(4)
  board.read(NEWEST_AT, stamp)
  return stamp.readUInt32LE()
}
