import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type TestContext } from 'node:test'
import type { ClientDuplexStream, ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import { makeCertificates } from '../../../../cli/certs/certificates.ts'
import type { Member } from '../../../../coordinator/contract/member.ts'
import { CoordinatorServer } from '../../../../coordinator/members/server.ts'
import type { TlsFiles } from '../../../../shared/security/tls.ts'
import { CHUNK_FLOATS } from '../../../../shared/vectors/chunks.ts'
import { PROTOCOL_VERSION, type StateChunk } from '../../../../shared/wire/messages.ts'
import { StateInbox } from '../../../../shared/wire/state_chunks.ts'
import { herdService } from '../../../../shared/wire/service.ts'
import { connectTo, endOf, type Calls } from '../../../support/grpc.ts'
import { ManifestReader, type ManifestPart } from '../../../../shared/data/manifest.ts'
import { madeUp } from '../../../support/made_up_data.ts'

/** Tests of the coordinator's port with real sockets: which connections may stay, and what each call accepts. */

/** Limits of a server, short for tests that wait for them; in tests of other things they are as long as in a run, since a busy machine is slow. */
const NAMELESS_MS = 1000
const HELLO_MS = 400
const SILENCE_MS = 1200
const PATIENT_MS = 60_000
const SAMPLES = 10

interface Listening {
  address: string
  port: number
  /** Messages about members from the server. */
  told: string[]
  /** Resolves when there are so many messages. */
  tells(count: number): Promise<string[]>
}

async function listen(t: TestContext, { tls, maxWorkers = 4, impatient = false }: { tls?: TlsFiles; maxWorkers?: number; impatient?: boolean } = {}): Promise<Listening> {
  const told: string[] = []
  const watchers = new Set<() => void>()
  const tell = (what: string): undefined => {
    told.push(what)
    for (const watcher of watchers) watcher()
  }
  const { server, port } = await CoordinatorServer.listen('127.0.0.1:0', {
    handler: {
      onReady: (member) => tell(`${member.name} ready`),
      onHeard: () => undefined,
      onComputed: (member) => tell(`${member.name} computed`),
      onAbandoned: (member) => tell(`${member.name} abandoned`),
      onDraining: (member) => tell(`${member.name} draining`),
      onEvaluation: (member) => tell(`${member.name} evaluation`),
      onGradient: (member: Member, chunk) => tell(`${member.name} gradient ${chunk.offset}`),
      onChecked: () => undefined,
      onSpans: (member, spans) => tell(`${member.name} ${spans.length} spans`),
      onClock: (member, { clock }) => tell(`${member.name} clock ${clock}`),
      onLost: (member, reason) => tell(`${member.name} lost: ${reason}`),
    },
    runId: 'run', run: '{}', dataset, frozen: FROZEN, brief: () => undefined,
    source: { read: (samples) => Promise.resolve(samples.map((sample) => Buffer.from([sample]))) },
    onUnreadable: () => undefined,
    access: { token: undefined, tls, maxWorkers }, now: () => performance.now(), silenceLimitMs: impatient ? SILENCE_MS : PATIENT_MS,
    patience: impatient ? { namelessMs: NAMELESS_MS, helloMs: HELLO_MS } : { namelessMs: PATIENT_MS, helloMs: PATIENT_MS },
  })
  t.after(() => server.close({ message: 'stop', stop: { reason: 'the test is over', finished: true } }))
  const tells = (count: number): Promise<string[]> =>
    new Promise((resolve) => {
      const look = (): void => (told.length >= count ? resolve(told) : undefined)
      watchers.add(look)
      look()
    })
  return { address: `127.0.0.1:${port}`, port, told, tells }
}

/** Makes a client with a connection of its own; a worker has two. */
function connect(t: TestContext, address: string): Calls {
  const client = connectTo(address)
  t.after(() => client.close())
  return client
}

const dataset = madeUp(SAMPLES)
/** More than one chunk of parameters that keep their values. */
const FROZEN = Float32Array.from({ length: CHUNK_FLOATS + 5 }, (_, index) => index % 1009)
const engine = JSON.stringify({ kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'none' })
const hello = (): object => ({ hello: { protocolVersion: PROTOCOL_VERSION, name: 'w', instance: randomUUID() } })
const ready = { ready: { engine, fingerprint: 'f', datasetDigest: '', metricsAddress: '', inputFingerprint: 'i', versions: 'v' } }
const chunk = (session: string, offset = 0): object => ({ session, round: 1, attempt: 0, node: 0, offset, data: Buffer.alloc(4), lanes: [] })

interface Joined {
  control: ClientDuplexStream<unknown, Record<string, unknown>>
  bulk: Calls
  session: string
  ended: Promise<string>
  weights: ClientReadableStream<unknown>
}

/** Says hello and opens the weights stream, on two connections. */
async function join(t: TestContext, { address }: Listening): Promise<Joined> {
  const control = connect(t, address).control()
  const ended = endOf(control)
  control.write(hello())
  const [{ welcome }] = (await once(control, 'data')) as [{ welcome: { session: string } }]
  const bulk = connect(t, address)
  const weights = bulk.receiveWeights({ session: welcome.session })
  weights.on('error', () => undefined)
  // The stream is open when the coordinator has seen its request; later calls on the same connection come after it.
  return { control, bulk, session: welcome.session, ended, weights }
}

async function member(t: TestContext, listening: Listening): Promise<Joined> {
  const joined = await join(t, listening)
  await endOf(joined.bulk.fetchImages({ session: joined.session, samples: [] }))
  joined.control.write(ready)
  await listening.tells(1)
  return joined
}

test('a connection that says nothing, half a TLS handshake and an idle HTTP/2 session are dropped', async (t) => {
  const { files } = await makeCertificates(['127.0.0.1'], 1, new Date())
  const pem = (name: string): Buffer => Buffer.from(files.get(name) ?? '')
  const secure = await listen(t, { tls: { identity: { cert: pem('coordinator.crt'), key: pem('coordinator.key') }, ca: pem('ca.crt') }, impatient: true })
  const plain = await listen(t, { impatient: true })

  const raw = [plain, secure].map(({ port }) => net.connect(port, '127.0.0.1'))
  const handshake = net.connect(secure.port, '127.0.0.1')
  // A TLS record that announces 512 bytes of ClientHello, and brings four.
  handshake.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]))
  const idle = http2.connect(`http://127.0.0.1:${plain.port}`)
  for (const each of [...raw, handshake, idle]) each.on('error', () => undefined)
  for (const socket of [...raw, handshake]) socket.resume()
  await Promise.all([...raw, handshake, idle].map((each) => new Promise((resolve) => each.on('close', resolve))))
})

test('a control stream without hello is ended with the reason', async (t) => {
  const { address } = await listen(t, { impatient: true })
  assert.equal(await endOf(connect(t, address).control()), 'no hello came within 0.4 s')
})

test('a worker that is silent between hello and ready is cut off; its heartbeats keep it', async (t) => {
  const listening = await listen(t, { impatient: true })
  const { control, ended } = await join(t, listening)
  for (let beats = 0; beats < 4; beats++) {
    await sleep(SILENCE_MS / 3)
    control.write({ heartbeat: { residentBytes: 1 } })
  }
  assert.deepEqual(listening.told, [])
  assert.equal(await ended, 'nothing was heard of it for 1.2 s')
  assert.deepEqual(listening.told, ['w lost: nothing was heard of it for 1.2 s'])
})

test('the connections of a worker stay for as long as its session, and go after it', async (t) => {
  const listening = await listen(t, { impatient: true })
  const control = http2.connect(`http://127.0.0.1:${listening.port}`)
  const closed = once(control, 'close')
  const call = control.request({ ':method': 'POST', ':path': '/herd.v1.Herd/Control', 'content-type': 'application/grpc' })
  call.resume()
  const [kind, { requestSerialize }] = ['Control', herdService().service['Control']]
  const send = (message: object): void => {
    const body = requestSerialize(message)
    const prefix = Buffer.alloc(5)
    prefix.writeUInt32BE(body.length, 1)
    call.write(Buffer.concat([prefix, body]))
  }
  assert.equal(kind, 'Control')
  send(hello())
  for (let beats = 0; beats < 4; beats++) {
    await sleep(NAMELESS_MS / 2)
    send({ heartbeat: { residentBytes: 1 } })
  }
  assert.equal(control.closed, false)
  send({ leaving: { reason: 'enough' } })
  await closed
  assert.deepEqual(listening.told, ['w lost: enough'])
})

test('when there are too many connections without a worker, the oldest goes, and a worker gets in', async (t) => {
  const listening = await listen(t, { maxWorkers: 1 })
  const flood = Array.from({ length: 300 }, () => net.connect(listening.port, '127.0.0.1').on('error', () => undefined))
  await member(t, listening)
  assert.deepEqual(listening.told, ['w ready'])
  for (const socket of flood) socket.destroy()
})

test('what cannot be decoded, and what is too long, ends that stream with the reason', async (t) => {
  const listening = await listen(t)
  const client = connect(t, listening.address)
  const raw = (path: string, bytes: Buffer): Promise<string> => {
    const call = client.makeBidiStreamRequest(path, (value: Buffer) => value, (value: Buffer) => value)
    call.write(bytes)
    return endOf(call)
  }
  assert.match(await raw('/herd.v1.Herd/Control', Buffer.from([0x0a, 0x7f, 0x01])), /a message of a worker cannot be decoded: its 3 bytes/)
  assert.match(await raw('/herd.v1.Herd/Control', Buffer.alloc(1024 * 1024 + 1)), /a message of a worker is longer than is allowed: 1048577 bytes, where 1048576 are/)
  assert.match(await raw('/herd.v1.Herd/Control', Buffer.alloc(2 * 1024 * 1024)), /larger than max/)
  assert.match(await raw('/herd.v1.Herd/SendGradients', Buffer.from([0xff])), /a gradient chunk cannot be decoded/)
  assert.equal(await raw('/herd.v1.Herd/Nothing', Buffer.alloc(0)), 'The server does not implement the method /herd.v1.Herd/Nothing')
})

test('names with control characters, of other scripts than their own, or without end are refused', async (t) => {
  const { address } = await listen(t)
  for (const name of ['a\nb', 'a\u001b[31m', '\u202egnp', 'x'.repeat(257), '']) {
    const control = connect(t, address).control()
    control.write({ hello: { protocolVersion: PROTOCOL_VERSION, name, instance: randomUUID() } })
    assert.match(await endOf(control), /a message of a worker is not as the protocol has it: hello\.name: /)
  }
})

const breaches: [what: string, breach: (joined: Joined) => void, reason: RegExp][] = [
  ['a second weights stream', ({ bulk, session }) => void endOf(bulk.receiveWeights({ session })), /ReceiveWeights came twice/],
  ['a second gradients stream', ({ bulk, session }) => {
    for (let i = 0; i < 2; i++) bulk.sendGradients(() => undefined).on('error', () => undefined).write(chunk(session))
  }, /SendGradients came twice/],
  ['a second manifest', ({ bulk, session }) => {
    for (let i = 0; i < 2; i++) void endOf(bulk.fetchManifest({ session }))
  }, /FetchManifest came twice/],
  ['a sample that is none', ({ bulk, session }) => void endOf(bulk.fetchImages({ session, samples: [1, SAMPLES] })), /sample 10 is not in the data set/],
  ['chunks of another session on its stream', ({ bulk, session }) => {
    const stream = bulk.sendGradients(() => undefined).on('error', () => undefined)
    stream.write(chunk(session))
    stream.write(chunk('another'))
  }, /a gradient chunk of no member/],
  ['a chunk that is in two places', ({ bulk, session }) => {
    const stream = bulk.sendGradients(() => undefined).on('error', () => undefined)
    stream.write(chunk(session))
    stream.write({ ...chunk(session), shared: { at: 2048, length: 4 } })
  }, /must not have both data and shared bytes/],
  ['the end of its gradients', ({ bulk, session }) => {
    const stream = bulk.sendGradients(() => undefined).on('error', () => undefined)
    stream.write(chunk(session))
    stream.end()
  }, /closed its stream of gradients/],
  ['a broken weights stream', ({ weights }) => weights.cancel(), /the connection was lost/],
  ['a second hello', ({ control }) => control.write(hello()), /hello came twice/],
  ['a second ready', ({ control }) => control.write(ready), /ready came twice/],
]
for (const [what, breach, reason] of breaches) {
  test(`a worker's session ends with ${what}`, async (t) => {
    const listening = await listen(t)
    const joined = await member(t, listening)
    breach(joined)
    assert.match(await joined.ended, reason)
    assert.match(listening.told.at(-1) ?? '', new RegExp(`^w lost: .*${reason.source}`))
  })
}

test('a worker that shares memory that it was not offered is out', async (t) => {
  const { address } = await listen(t)
  const control = connect(t, address).control()
  const ended = endOf(control)
  control.write(hello())
  const [{ welcome }] = await once(control, 'data') as [{ welcome: { session: string; sharedMemory: unknown } }]
  assert.equal(welcome.sharedMemory, null)
  void endOf(connect(t, address).receiveWeights({ session: welcome.session, sharesMemory: true }))
  assert.match(await ended, /a worker shares memory that it was not offered/)
})

test('a bulk call of no session is ended, and nobody is lost', async (t) => {
  const listening = await listen(t)
  const bulk = connect(t, listening.address)
  assert.equal(await endOf(bulk.receiveWeights({ session: 'guess' })), 'no such session')
  assert.match(await endOf(bulk.fetchImages({ session: 'x'.repeat(300), samples: [1] })), /a request of a worker is not as the protocol has it: session/)
  const refused = new Promise<ServiceError | null>((resolve) => bulk.sendGradients(resolve).on('error', () => undefined).write(chunk('guess')))
  assert.match((await refused)?.details ?? '', /a gradient chunk of no member/)
  assert.deepEqual(listening.told, [])
})

test('frozen parameters are fetched in chunks, by members alone', async (t) => {
  const listening = await listen(t)
  const { bulk, session } = await member(t, listening)
  const frozen = new Float32Array(FROZEN.length)
  const inbox = new StateInbox({ parameters: frozen, moments: [] }, { begin: 0, end: frozen.length }, 0)
  let chunks = 0
  for await (const chunk of bulk.fetchFrozen({ session }) as AsyncIterable<StateChunk>) {
    inbox.receive(chunk)
    chunks++
  }
  assert.deepEqual([chunks, inbox.complete, frozen], [2, true, FROZEN])
  assert.equal(await endOf(bulk.fetchFrozen({ session: 'guessed' })), 'no such session')
})

test('requests for images are answered in the order of their coming, and the manifest whole', async (t) => {
  const listening = await listen(t)
  const { bulk, session } = await member(t, listening)
  const fetch = async (samples: number[]): Promise<number[]> => {
    const got: number[] = []
    for await (const { sample, data } of bulk.fetchImages({ session, samples }) as AsyncIterable<{ sample: number; data: Buffer }>) {
      assert.equal(data[0], sample)
      got.push(sample)
    }
    return got
  }
  assert.deepEqual(await Promise.all([[3, 1], [], [9], [0, 0]].map(fetch)), [[3, 1], [], [9], [0, 0]])
  const manifest = new ManifestReader()
  for await (const part of bulk.fetchManifest({ session, ownCopy: false }) as AsyncIterable<ManifestPart>) manifest.take(part)
  assert.deepEqual(manifest.manifest(), { classes: dataset.classes, digest: dataset.digest, samples: dataset.samples })
})
