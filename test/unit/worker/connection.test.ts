import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { Member } from '../../../coordinator/contract/member.ts'
import { CoordinatorServer } from '../../../coordinator/members/server.ts'
import { MachineMemory } from '../../../coordinator/members/machine_memory.ts'
import { PROTOCOL_VERSION, type GradientChunk, type Welcome } from '../../../shared/wire/messages.ts'
import { VERSIONS_BEHIND } from '../../../shared/wire/board.ts'
import { Connection } from '../../../worker/connection.ts'
import type { ArrivedWeights } from '../../../worker/link.ts'
import { withoutSharedMemory } from '../../support/shared_memory.ts'
import type { ManifestSource } from '../../../shared/data/manifest.ts'
import { readManifest } from '../../../worker/manifest.ts'
import { madeUp } from '../../support/made_up_data.ts'

const MIB = 1024 * 1024
const CHUNKS = 32

const ignore = (): undefined => undefined

interface Joined {
  link: Connection
  member: Member
}

/** Joins a worker to a coordinator over real sockets. @param of the server's data set, and the memory that it shares */
async function join(t: TestContext, onGradient: (chunk: GradientChunk) => void, onWeights: (chunk: ArrivedWeights) => void, of: { dataset: ManifestSource; memory?: MachineMemory }): Promise<Joined> {
  let joined: (member: Member) => void = ignore
  const member = new Promise<Member>((resolve) => (joined = resolve))
  const { server, port } = await CoordinatorServer.listen('127.0.0.1:0', {
    handler: {
      onReady: (ready) => void joined(ready), onHeard: ignore, onComputed: ignore, onAbandoned: ignore, onDraining: ignore, onEvaluation: ignore, onChecked: ignore, onSpans: ignore, onClock: ignore, onLost: ignore,
      onGradient: (_, chunk) => onGradient(chunk),
    },
    runId: 'run', run: '{}', brief: () => undefined, source: { read: () => Promise.resolve([]) }, onUnreadable: () => undefined,
    access: { token: undefined, tls: undefined, maxWorkers: 1 }, silenceLimitMs: 30_000, now: () => performance.now(), ...of,
  })
  t.after(() => server.close({ message: 'stop', stop: { reason: 'the test is over', finished: true } }))
  let welcomed: (welcome: Welcome) => void = ignore
  const welcome = new Promise<Welcome>((resolve) => (welcomed = resolve))
  const link = new Connection(`127.0.0.1:${port}`, { token: undefined, tls: undefined }, (message) => {
    if (message.message === 'welcome') welcomed(message.welcome)
  })
  t.after(() => link.close())
  link.send({ message: 'hello', hello: { protocolVersion: PROTOCOL_VERSION, name: 'w', instance: 'i' } })
  link.openBulk(await welcome, onWeights)
  assert.equal((await readManifest(link.fetchManifest(false), { datasetDigest: of.dataset.digest })).samples.length, of.dataset.samples.length)
  const engine = JSON.stringify({ kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'none' })
  link.send({ message: 'ready', ready: { engine, fingerprint: 'f', datasetDigest: '', metricsAddress: '', inputFingerprint: 'i', versions: 'v' } })
  return { link, member: await member }
}

test('megabytes go both ways at the same time, however little the sockets hold', { timeout: 30_000 }, async (t) => {
  let received = 0
  let allGradients: () => void = ignore
  const gradients = new Promise<void>((resolve) => (allGradients = resolve))
  let came = 0
  let allWeights: () => void = ignore
  const weights = new Promise<void>((resolve) => (allWeights = resolve))
  const { link, member } = await join(t, () => {
    if (++received === CHUNKS) allGradients()
  }, () => {
    if (++came === CHUNKS) allWeights()
  }, { dataset: madeUp(50_000) })
  const data = Buffer.alloc(MIB)
  for (let version = 0; version < CHUNKS; version++) member.sendWeights({ version, offset: 0, data, leftOut: false })
  const sent: Promise<void>[] = []
  for (let round = 0; round < CHUNKS; round++) sent.push(link.sendGradient({ round, attempt: 0, node: 0, offset: 0, data, lanes: [], began: 0 }))
  await Promise.all([weights, gradients, ...sent])
})

test('through memory, the streams carry places only; who has fallen behind loses the connection', { skip: withoutSharedMemory, timeout: 30_000 }, async (t) => {
  const memory = MachineMemory.create(MIB / 4) ?? assert.fail('this machine has no files in memory')
  let arrived: (chunk: GradientChunk) => void = ignore
  const gradient = new Promise<GradientChunk>((resolve) => (arrived = resolve))
  const contents: string[] = []
  let took: () => void = ignore
  const weights = new Promise<void>((resolve) => (took = resolve))
  const { link, member: worker } = await join(t, (chunk) => arrived(chunk), ({ data }) => {
    assert.ok('readInto' in data)
    const target = Buffer.alloc(data.length)
    data.readInto(target)
    contents.push(target.toString())
    took()
  }, { dataset: madeUp(2), memory })
  const post = (version: number): void => worker.sendWeights({ version, offset: 0, data: Buffer.alloc(0), leftOut: false, shared: memory.board.post(version, 0, Buffer.from(`weights ${version}`)) })
  post(1)
  await weights
  assert.deepEqual(contents, ['weights 1'])
  await link.sendGradient({ round: 1, attempt: 0, node: 0, offset: 0, data: Buffer.from('gradient'), lanes: [], began: 0 })
  const { shared, data } = await gradient
  assert.equal(data.length, 0)
  const target = Buffer.alloc(shared?.length ?? 0)
  worker.memory?.read(shared?.at ?? 0, target)
  assert.equal(target.toString(), 'gradient')
  assert.deepEqual([worker.bytesReceived, worker.bytesSent, link.bytesSent, link.bytesReceived], [8, 9, 8, 9])

  // All versions are sent before the first of them is read.
  for (let version = 2; version <= 2 + VERSIONS_BEHIND; version++) post(version)
  assert.match(await link.lost, /versions of the weights behind/)
})
