import { readSync, writeSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { Packr } from 'msgpackr'

/**
 * Frames between a process and its compute process: [header bytes: uint32][body bytes: uint32][header: msgpack][body].
 * The compute process reads and writes them synchronously, since computing blocks it anyway; its parent uses streams,
 * since its heartbeats must go on.
 */
export interface Frame {
  header: unknown
  body: Buffer
}

const PREFIX_BYTES = 8
/** Most bytes that are read or written by one call: the system takes at most 2 GiB, and a stream hands out at most 1 GiB. */
const MOST_AT_ONCE = 2 ** 30
const packr = new Packr({ useRecords: false })

function prefixOf(header: Buffer, body: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32LE(header.length, 0)
  prefix.writeUInt32LE(body.length, 4)
  return prefix
}

/** Queues a frame on a stream; the body must not be changed before it is written. */
export function sendFrame(stream: Writable, header: object, body: Uint8Array = new Uint8Array(0)): void {
  const packed = packr.pack(header)
  stream.cork()
  stream.write(prefixOf(packed, body))
  stream.write(packed)
  if (body.length > 0) stream.write(body)
  stream.uncork()
}

/** Calls `receive` for each frame of a stream. Bodies are copied into memory of their own, so that floats in them are aligned. */
export function onFrames(stream: Readable, receive: (frame: Frame) => void): void {
  let prefix = new Filling(PREFIX_BYTES)
  let frame: { header: Filling; body: Filling } | undefined
  stream.on('readable', () => {
    for (;;) {
      if (!prefix.fillFrom(stream)) return
      frame ??= { header: new Filling(prefix.bytes.readUInt32LE(0)), body: new Filling(prefix.bytes.readUInt32LE(4)) }
      if (!frame.header.fillFrom(stream) || !frame.body.fillFrom(stream)) return
      const { header, body } = frame
      prefix = new Filling(PREFIX_BYTES)
      frame = undefined
      receive({ header: packr.unpack(header.bytes), body: body.bytes })
    }
  })
}

/** Bytes that arrive piece by piece, in memory of their own. */
class Filling {
  readonly bytes: Buffer
  #filled = 0

  constructor(size: number) {
    this.bytes = Buffer.from(new ArrayBuffer(size))
  }

  /** Takes what a stream has of them now. @returns true once all are there */
  fillFrom(stream: Readable): boolean {
    while (this.#filled < this.bytes.length) {
      const piece = stream.read(Math.min(this.bytes.length - this.#filled, stream.readableLength)) as Buffer | null
      if (piece === null) return false
      this.#filled += piece.copy(this.bytes, this.#filled)
    }
    return true
  }
}

/** Reads the next frame and blocks until it has arrived. @returns undefined if the other side has closed the pipe */
export function readFrameSync(fd: number): Frame | undefined {
  const prefix = readFully(fd, PREFIX_BYTES)
  if (prefix === undefined) return undefined
  const header = readFully(fd, prefix.readUInt32LE(0))
  const body = readFully(fd, prefix.readUInt32LE(4))
  if (header === undefined || body === undefined) return undefined
  return { header: packr.unpack(header), body }
}

/** Writes a frame and blocks until the pipe has taken all of it. */
export function writeFrameSync(fd: number, header: object, body: Uint8Array = new Uint8Array(0)): void {
  const packed = packr.pack(header)
  for (const part of [prefixOf(packed, body), packed, body]) {
    for (let written = 0; written < part.length; ) written += writeSync(fd, part, written, Math.min(part.length - written, MOST_AT_ONCE))
  }
}

function readFully(fd: number, size: number): Buffer | undefined {
  const buffer = Buffer.from(new ArrayBuffer(size))
  for (let filled = 0; filled < size; ) {
    const count = readSync(fd, buffer, filled, Math.min(size - filled, MOST_AT_ONCE), null)
    if (count === 0) return undefined
    filled += count
  }
  return buffer
}
