import { randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync, statSync, unlinkSync, writeSync } from 'node:fs'
import path from 'node:path'
import { ProtocolError } from './errors.ts'

/** Location by which another process of the same machine and user can open a file that has no name. */
export interface MemoryPlace {
  process: number
  descriptor: number
  /** First bytes of the file, in hexadecimal: a process that opens the location checks by them that it is the intended file. */
  key: string
}

/** Folder whose files Linux keeps in memory. */
const FOLDER = '/dev/shm'
const KEY_BYTES = 16
/** Size of a page of memory: regions that are used independently begin on a page of their own. */
export const PAGE_BYTES = 4096
/**
 * Offset of the content in the file. Copying to an address that lies 16 bytes behind its source, both counted from their page's beginning, took
 * five times as long on an AMD EPYC. Large blocks of the C library begin 16 bytes into a page; copies from this offset to such blocks avoid that
 * distance.
 */
export const CONTENT_AT = 2048

/**
 * A file in this machine's memory that has no name: it disappears with the last process that has it open, however that process ends. It is read
 * and written by system calls rather than mapped, so that a full memory is reported by a return value and not by a signal.
 */
export class MemoryFile {
  readonly #descriptor: number
  readonly #key: string

  private constructor(descriptor: number, key: string) {
    this.#descriptor = descriptor
    this.#key = key
  }

  /**
   * Creates a file whose first bytes are a random key.
   * @returns undefined if there are no such files: on systems other than Linux, and if the folder cannot be written
   */
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
      // The reason does not matter: without the file, bulk data goes through sockets.
      if (descriptor !== undefined) closeSync(descriptor)
      return undefined
    }
  }

  /**
   * Opens the file of another process.
   * @returns undefined if the place is not on this machine, is no nameless file of the folder, has another key, or may not be opened: as another
   * user, or from another container
   */
  static open({ process: id, descriptor, key }: MemoryPlace, access: 'read' | 'write', folder = FOLDER): MemoryFile | undefined {
    const file = `/proc/${id}/fd/${descriptor}`
    let opened: number | undefined
    try {
      // The check comes first because the place may be any file of an unrelated process: opening a pipe would wait for its other end.
      if (!statSync(file).isFile()) return undefined
      opened = openSync(file, (access === 'read' ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK)
      if (!isNameless(opened, folder)) throw new Error('a file that somebody may miss')
      const found = Buffer.alloc(KEY_BYTES)
      if (readSync(opened, found, 0, KEY_BYTES, 0) === KEY_BYTES && timingSafeEqual(found, Buffer.from(key, 'hex'))) return new MemoryFile(opened, key)
    } catch {
      // An error is expected here: most places are on another machine.
    }
    if (opened !== undefined) closeSync(opened)
    return undefined
  }

  /** Wraps a file that the parent process has opened and handed on. */
  static inherited(descriptor: number): MemoryFile {
    return new MemoryFile(descriptor, '')
  }

  /** Descriptor of the file, to be handed on to a child process. */
  get descriptor(): number {
    return this.#descriptor
  }

  /** Location by which other processes can open the file. */
  get place(): MemoryPlace {
    return { process: process.pid, descriptor: this.#descriptor, key: this.#key }
  }

  /** Memory that the file occupies, in bytes. */
  get bytes(): number {
    return fstatSync(this.#descriptor).blocks * 512
  }

  /**
   * Writes bytes into the file.
   * @param at offset from the beginning of the file; content begins at `CONTENT_AT`
   * @returns false if there was not enough memory
   */
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

  /**
   * Fills `into` with the file's bytes from offset `at` on.
   * @throws ProtocolError if the file is shorter
   */
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

/**
 * True if a file is what `create` makes: of this user, in the folder's file system, and without a name. The place and the key come from another
 * process, which could name any file whose first bytes it knows; no file with a name is ever written.
 */
function isNameless(descriptor: number, folder: string): boolean {
  const { nlink, uid, dev } = fstatSync(descriptor)
  return nlink === 0 && uid === process.getuid?.() && dev === statSync(folder).dev
}

/** True if the error says that memory is full: the folder's limit, as containers set it, or the user's is reached. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'ENOMEM', 'EFBIG'].includes(String(error.code))
}
