import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import test from 'node:test'
import { onFrames, readFrameSync, sendFrame, writeFrameSync, type Frame } from '../../../../shared/compute/frames.ts'

const header = { type: 'push', samples: [1, 2, 3] }
const body = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => i % 251))

test('what is written synchronously is read from a stream, however it is cut into pieces', async () => {
  const file = path.join(os.tmpdir(), `herd-frames-${process.pid}`)
  const fd = openSync(file, 'w+')
  writeFrameSync(fd, header, body)
  writeFrameSync(fd, { type: 'add' })
  closeSync(fd)
  const bytes = readFileSync(file)
  for (const pieceBytes of [1 << 20, 4093, 97]) {
    const stream = new PassThrough()
    const frames: Frame[] = []
    onFrames(stream, (frame) => frames.push(frame))
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      stream.write(bytes.subarray(at, at + pieceBytes))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(frames.map((frame) => frame.header), [header, { type: 'add' }])
    assert.deepEqual(frames[0].body, body)
    assert.equal(frames[0].body.byteOffset % 4, 0, 'floats in a body are aligned')
  }
  rmSync(file)
})

test('a body beyond 1 GiB, which no single read of a stream gives, arrives whole', async () => {
  const pieceBytes = 64 * 1024 * 1024
  const piece = Buffer.alloc(pieceBytes, 7)
  const packed = new PassThrough()
  sendFrame(packed, header)
  const begin = packed.read() as Buffer
  begin.writeUInt32LE(17 * pieceBytes, 4)
  const stream = Readable.from([begin, ...Array<Buffer>(17).fill(piece)], { objectMode: false })
  const frame = await new Promise<Frame>((resolve) => onFrames(stream, resolve))
  assert.deepEqual(frame.header, header)
  assert.equal(frame.body.length, 17 * pieceBytes)
  for (let at = 0; at < frame.body.length; at += pieceBytes) assert.ok(frame.body.subarray(at, at + pieceBytes).equals(piece), `from ${at} on`)
})

test('what is sent on a stream is read synchronously, until the end', () => {
  const stream = new PassThrough({ highWaterMark: 1 << 20 })
  sendFrame(stream, header, body)
  sendFrame(stream, { type: 'take' })
  const file = path.join(os.tmpdir(), `herd-frames-sync-${process.pid}`)
  const out = openSync(file, 'w+')
  writeFrameSync(out, header, body)
  closeSync(out)
  assert.deepEqual((stream.read() as Buffer).subarray(0, readFileSync(file).length), readFileSync(file))
  const fd = openSync(file, 'r')
  assert.deepEqual(readFrameSync(fd), { header, body })
  assert.equal(readFrameSync(fd), undefined)
  closeSync(fd)
  rmSync(file)
})
