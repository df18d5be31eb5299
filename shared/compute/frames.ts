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
  let need: { headerBytes: number; bodyBytes: number } | undefined
  stream.on('readable', () => {
    for (;;) {
      if (need === undefined) {
        const prefix = stream.read(PREFIX_BYTES) as Buffer | null
        if (prefix === null) return
        need = { headerBytes: prefix.readUInt32LE(0), bodyBytes: prefix.readUInt32LE(4) }
      }
      const size = need.headerBytes + need.bodyBytes
      const content = stream.read(size) as Buffer | null
      if (content === null || content.length < size) return
      const body = Buffer.from(new ArrayBuffer(need.bodyBytes))
      content.copy(body, 0, need.headerBytes)
      const header: unknown = packr.unpack(content.subarray(0, need.headerBytes))
      need = undefined
      receive({ header, body })
    }
  })
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
    for (let written = 0; written < part.length; ) written += writeSync(fd, part, written)
  }
}

function readFully(fd: number, size: number): Buffer | undefined {
  const buffer = Buffer.from(new ArrayBuffer(size))
  for (let filled = 0; filled < size; ) {
    const count = readSync(fd, buffer, filled, size - filled, null)
    if (count === 0) return undefined
    filled += count
  }
  return buffer
}
