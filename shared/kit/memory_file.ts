import { randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync, statSync, unlinkSync, writeSync } from 'node:fs'
import path from 'node:path'
import { ProtocolError } from './errors.ts'

/** Where another process of this machine, and of the same user, finds a file that has no name. */
export interface MemoryPlace {
  process: number
  descriptor: number
  /** Hexadecimal; the file begins with it, so that whoever opens it knows that it is the one that was meant. */
  key: string
}

/** Linux keeps what is in here in memory. */
const FOLDER = '/dev/shm'
const KEY_BYTES = 16
/** What is used apart begins on a page of its own. */
export const PAGE_BYTES = 4096
/**
 * Where the content begins. A copy to an address that lies 16 bytes behind its source, counted from where each one's page begins, took five
 * times as long on an AMD EPYC; large blocks of the C library begin at 16, and so does not what is copied to them from here.
 */
export const CONTENT_AT = 2048

/**
 * A file in this machine's memory that has no name: it is gone with the last process that has it open, however that one ends. It is read
 * and written by system calls rather than mapped, so that a full memory is an answer, and no signal.
 */
export class MemoryFile {
  readonly #descriptor: number
  readonly #key: string

  private constructor(descriptor: number, key: string) {
    this.#descriptor = descriptor
    this.#key = key
  }

  /** @returns undefined where memory has no files: on other systems than Linux, and where the folder cannot be written */
  static create(folder = FOLDER): MemoryFile | undefined {
    if (process.platform !== 'linux') return undefined
    const file = path.join(folder, `herd-${randomBytes(16).toString('hex')}`)
    const key = randomBytes(KEY_BYTES)
    let descriptor: number | undefined
    try {
      descriptor = openSync(file, 'wx+', 0o600)
      unlinkSync(file)
      writeSync(descriptor, key, 0, KEY_BYTES, 0)
      return new MemoryFile(descriptor, key.toString('hex'))
    } catch {
      // Whatever the reason is: without it, megabytes go through sockets.
      if (descriptor !== undefined) closeSync(descriptor)
      return undefined
    }
  }

  /** @returns undefined where the place is not on this machine, or may not be opened: as another user, or from another container */
  static open({ process: id, descriptor, key }: MemoryPlace, access: 'read' | 'write'): MemoryFile | undefined {
    const file = `/proc/${id}/fd/${descriptor}`
    let opened: number | undefined
    try {
      // It may be anything, of a process that has nothing to do with this: a pipe would wait for its other end.
      if (!statSync(file).isFile()) return undefined
      opened = openSync(file, (access === 'read' ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK)
      const found = Buffer.alloc(KEY_BYTES)
      if (readSync(opened, found, 0, KEY_BYTES, 0) === KEY_BYTES && timingSafeEqual(found, Buffer.from(key, 'hex'))) return new MemoryFile(opened, key)
    } catch {
      // Most places are on another machine.
    }
    if (opened !== undefined) closeSync(opened)
    return undefined
  }

  /** One that whoever started this process has handed on, open. */
  static inherited(descriptor: number): MemoryFile {
    return new MemoryFile(descriptor, '')
  }

  /** To hand on to a process that is started. */
  get descriptor(): number {
    return this.#descriptor
  }

  /** For other processes. */
  get place(): MemoryPlace {
    return { process: process.pid, descriptor: this.#descriptor, key: this.#key }
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return fstatSync(this.#descriptor).blocks * 512
  }

  /** @param at from where the file begins; content is from `CONTENT_AT` on @returns whether there was memory for it */
  write(at: number, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length;) {
      try {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, at + done)
      } catch (error) {
        if (isFull(error)) return false
        throw error
      }
    }
    return true
  }

  /** Fills `into` with what is there. @throws ProtocolError when the file is shorter. */
  read(at: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const read = readSync(this.#descriptor, into, done, into.length - done, at + done)
      if (read === 0) throw new ProtocolError(`shared memory has no ${into.length} bytes at ${at}`)
      done += read
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

/** The folder's limit is reached, as containers have it, or the user's. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'ENOMEM', 'EFBIG'].includes(String(error.code))
}
