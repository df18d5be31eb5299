import net from 'node:net'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import { bytesOf, type Attack } from './target.ts'

/** Attacks below gRPC: bytes that are not HTTP/2, and malformed HTTP/2. This preface begins every connection of HTTP/2. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const LINGER_MS = 15

/** Writes pieces to a new connection, and destroys it LINGER_MS later, if the other side has not done so. */
export function hurl(port: number, pieces: readonly Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      for (const piece of pieces) socket.write(piece)
      setTimeout(() => socket.destroy(), LINGER_MS)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
    socket.resume()
  })
}

/** Sends the greeting of another protocol, whole or cut short, followed by noise. */
export const garbage: Attack = async ({ port }, random) => {
  const greetings = [
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'),
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
    PREFACE,
    Buffer.concat([PREFACE, frame(4, 0, 0, Buffer.alloc(0))]),
    Buffer.alloc(0),
  ]
  const greeting = random.pick(greetings)
  const begin = random.below(4) === 0 ? greeting.subarray(0, random.below(greeting.length + 1)) : greeting
  await hurl(port, [begin, bytesOf(random, random.below(600))])
  return 1
}

/** Makes an HTTP/2 frame. @param declared the length that it claims to have */
function frame(type: number, flags: number, stream: number, payload: Buffer, declared = payload.length): Buffer {
  const header = Buffer.alloc(9)
  header.writeUIntBE(declared, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}

const DATA = 0
const HEADERS = 1
const PRIORITY = 2
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const GOAWAY = 7
const WINDOW_UPDATE = 8
const CONTINUATION = 9

/** The headers of a call in HPACK, uncompressed: literals that are not indexed. */
function callHeaders(path: string): Buffer {
  const fields = { ':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'x', 'content-type': 'application/grpc', te: 'trailers' }
  return Buffer.concat(Object.entries(fields).map(([name, value]) => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])))
}

const brokenFrame: ((random: KeyedRandom) => Buffer)[] = [
  (random) => frame(random.below(256), random.below(256), random.uint32(), bytesOf(random, random.below(64))),
  (random) => frame(random.below(10), random.below(256), random.below(8), bytesOf(random, random.below(64)), random.below(1 << 24)),
  (random) => frame(HEADERS, 4, 1 + 2 * random.below(4), bytesOf(random, 1 + random.below(200))),
  (random) => frame(HEADERS, random.pick([0, 4, 5]), 1 + 2 * random.below(4), callHeaders('/herd.v1.Herd/Control')),
  (random) => frame(DATA, random.below(16), 1 + 2 * random.below(4), bytesOf(random, random.below(200))),
  (random) => frame(CONTINUATION, random.below(8), random.below(8), bytesOf(random, random.below(100))),
  (random) => frame(SETTINGS, random.below(2), 0, bytesOf(random, random.pick([5, 6, 60, 600]))),
  (random) => frame(WINDOW_UPDATE, 0, random.below(4), Buffer.from([0x7f, 0xff, 0xff, random.below(256)])),
  (random) => frame(RST_STREAM, 0, random.below(8), bytesOf(random, 4)),
  (random) => frame(PRIORITY, 0, 1, Buffer.from([0, 0, 0, 1, random.below(256)])),
  (random) => frame(PING, random.below(2), random.below(2), bytesOf(random, random.pick([7, 8]))),
  (random) => frame(GOAWAY, 0, 0, bytesOf(random, 8 + random.below(100))),
]

/** Sends malformed HTTP/2 frames: of wrong types, on streams that do not exist, longer or shorter than they claim. */
export const frames: Attack = async ({ port }, random) => {
  const count = 1 + random.below(20)
  const pieces = Array.from({ length: count }, () => random.pick(brokenFrame)(random))
  await hurl(port, [PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0)), ...pieces])
  return count
}

/** Sends the same kind of frame many times: pings, settings, streams that are opened and reset, headers that never end. */
export const frameFlood: Attack = async ({ port }, random) => {
  const count = 200
  const opened = (index: number): Buffer => frame(HEADERS, 4, 1 + 2 * index, callHeaders('/herd.v1.Herd/Control'))
  const kinds: ((index: number) => Buffer)[] = [
    () => frame(PING, 0, 0, Buffer.alloc(8)),
    () => frame(SETTINGS, 0, 0, Buffer.alloc(0)),
    (index) => Buffer.concat([opened(index), frame(RST_STREAM, 0, 1 + 2 * index, Buffer.from([0, 0, 0, 8]))]),
    (index) => opened(index),
    (index) => (index === 0 ? frame(HEADERS, 0, 1, callHeaders('/herd.v1.Herd/Control')) : frame(CONTINUATION, 0, 1, bytesOf(random, 100))),
    () => frame(DATA, 0, 1, Buffer.alloc(0)),
  ]
  const kind = random.pick(kinds)
  await hurl(port, [PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0)), opened(0), ...Array.from({ length: count }, (_, index) => kind(index))])
  return count
}

/** Opens many connections that send nothing. */
export const connectionFlood: Attack = async ({ port, metricsPort }) => {
  const count = 50
  await Promise.all(Array.from({ length: count }, (_, index) => hurl(index % 5 === 0 ? metricsPort : port, [])))
  return count
}

/** Sends malformed HTTP/1.1 to the port of the metrics. */
export const metricsGarbage: Attack = async ({ metricsPort }, random) => {
  const words = ['GET', 'POST', 'CONNECT', '/metrics', '/', '*', 'HTTP/1.1', 'HTTP/9.9', '\r\n', '\r\n\r\n', ': ', 'Host: x', 'Content-Length: 99999999999', 'Transfer-Encoding: chunked', 'ffffffffff\r\n', 'x'.repeat(9000), ' ', '\0', 'Upgrade: h2c']
  const count = 1 + random.below(4)
  await Promise.all(Array.from({ length: count }, () => {
    const text = Array.from({ length: 1 + random.below(12) }, () => random.pick(words)).join(random.pick(['', ' ', '\r\n']))
    return hurl(metricsPort, [Buffer.from(text, 'latin1'), bytesOf(random, random.below(50))])
  }))
  return count
}
