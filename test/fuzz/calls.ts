import http2 from 'node:http2'
import { gzipSync } from 'node:zlib'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import { anyRequest, callNames, mutated, pathOf, type CallName } from './messages.ts'
import { bytesOf, type Attack, type Target } from './target.ts'

/**
 * Attacks by gRPC calls over real HTTP/2: malformed framing, encoding and messages.
 * A connection is closed after this time at the latest.
 */
const PATIENCE_MS = 300

/** Puts a message into gRPC's frame. @param declared the length that the frame claims to have */
function framed(message: Buffer, { compressed = 0, declared = message.length }: { compressed?: number; declared?: number } = {}): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt8(compressed, 0)
  prefix.writeUInt32BE(declared, 1)
  return Buffer.concat([prefix, message])
}

/** Authorization header with the right token, a wrong one or something else, or no header. */
function anyAuthorization({ token }: Target, random: KeyedRandom): http2.OutgoingHttpHeaders {
  const authorization = random.pick([token, token, token, `${token}x`, 'Bearer ', 'Basic eDp4', 'x'.repeat(5000), undefined])
  return authorization === undefined ? {} : { authorization }
}

/** Makes calls on one connection, and closes it when they have all ended, or PATIENCE_MS have passed. */
async function callAll(port: number, calls: { headers: http2.OutgoingHttpHeaders; body: readonly Buffer[]; end: boolean }[]): Promise<void> {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => session.on('close', () => resolve()))
  const patience = setTimeout(() => session.destroy(), PATIENCE_MS)
  const ends = calls.map(({ headers, body, end }) => new Promise<void>((resolve) => {
    const call = session.request({ ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers', ...headers })
    call.on('error', () => undefined).on('close', () => resolve()).resume()
    for (const part of body) call.write(part)
    if (end) call.end()
    else call.once('response', () => setTimeout(() => call.close(), 5))
  }))
  await Promise.race([Promise.all(ends), closed])
  clearTimeout(patience)
  session.destroy()
  await closed
}

/** Sends frames with wrong lengths, of more than one message or none, compressed or claiming to be, and headers that gRPC does not know. */
export const framing: Attack = async (target, random) => {
  const count = 10
  const body = (): Buffer => {
    const name = random.pick(callNames)
    const message = anyRequest(random, name, 'x')
    return random.pick<() => Buffer>([
      () => framed(message, { declared: 0xffffffff }),
      () => framed(message, { declared: random.uint32() }),
      () => framed(message, { declared: message.length + 1 + random.below(100) }),
      () => framed(message, { declared: random.below(message.length + 1) }),
      () => framed(message, { compressed: 1 }),
      () => framed(message, { compressed: random.below(256) }),
      () => framed(gzipSync(Buffer.alloc(2_000_000)), { compressed: 1 }),
      () => framed(gzipSync(message).subarray(0, 10), { compressed: 1 }),
      () => Buffer.concat(Array.from({ length: 50 }, () => framed(Buffer.alloc(0)))),
      () => framed(message).subarray(0, random.below(6)),
      () => bytesOf(random, random.below(100)),
    ])()
  }
  await callAll(target.port, Array.from({ length: count }, () => ({
    headers: {
      ':path': random.pick([...callNames.map(pathOf), '/', '/herd.v1.Herd/', '/herd.v1.Herd/__proto__', `/${'x'.repeat(2000)}`]),
      ':method': random.pick(['POST', 'POST', 'POST', 'GET']),
      'content-type': random.pick(['application/grpc', 'application/grpc', 'application/grpc', 'application/grpc+json', 'text/html', '']),
      'grpc-encoding': random.pick(['identity', 'gzip', 'deflate', 'br', '\u00ff']),
      'grpc-timeout': random.pick(['10S', '1n', '99999999H', '-1S', 'x', '']),
      'key-bin': random.pick(['AAAA', '!!!', '']),
      ...anyAuthorization(target, random),
    },
    body: [body(), ...(random.below(3) === 0 ? [body()] : [])],
    end: random.below(2) === 0,
  })))
  return count
}

/** Makes well-framed calls with messages that are random bytes, or of the right form with something changed. */
export const protobuf: Attack = async (target, random) => {
  const calls = Array.from({ length: 8 }, () => {
    const name: CallName = random.pick(['Control', ...callNames])
    const message = (): Buffer => {
      const valid = anyRequest(random, name, random.pick(['', 'x', '0'.repeat(32)]))
      return framed(random.pick<() => Buffer>([() => valid, () => mutated(random, valid), () => mutated(random, valid), () => bytesOf(random, random.below(300))])())
    }
    return { headers: { ':path': pathOf(name), ...anyAuthorization(target, random) }, body: Array.from({ length: 1 + random.below(5) }, message), end: random.below(2) === 0 }
  })
  await callAll(target.port, calls)
  return calls.reduce((sum, { body }) => sum + body.length, 0)
}

/** Sends a message of the greatest length that is allowed, or longer, that consists of empty fields. */
export const large: Attack = async (target, random) => {
  const field = random.pick([0x3a, 0x2a, 0x0b, 0x0a])
  const size = random.pick([100_000, 1_000_000, 1_300_000, 4_000_000])
  const message = Buffer.alloc(size, Buffer.from([field, 0]))
  await callAll(target.port, [{ headers: { ':path': pathOf(random.pick(callNames)), authorization: target.token }, body: [framed(message)], end: true }])
  return 1
}

/** Opens more streams on a connection than are allowed. */
export const streamFlood: Attack = async (target, random) => {
  const count = 200
  const name = random.pick(callNames)
  await callAll(target.port, Array.from({ length: count }, () => ({ headers: { ':path': pathOf(name), ...anyAuthorization(target, random) }, body: [framed(anyRequest(random, name, 'x'))], end: true })))
  return count
}
