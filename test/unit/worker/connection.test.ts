import assert from 'node:assert/strict'
import test from 'node:test'
import type { Member } from '../../../coordinator/member.ts'
import { CoordinatorServer } from '../../../coordinator/server.ts'
import { PROTOCOL_VERSION } from '../../../shared/wire/messages.ts'
import { Connection } from '../../../worker/connection.ts'

const MIB = 1024 * 1024
const CHUNKS = 32

test('megabytes go both ways at the same time, however little the sockets hold', { timeout: 30_000 }, async (t) => {
  let received = 0
  let joined: (member: Member) => void = () => undefined
  let allGradients: () => void = () => undefined
  const member = new Promise<Member>((resolve) => (joined = resolve))
  const gradients = new Promise<void>((resolve) => (allGradients = resolve))
  const ignore = (): undefined => undefined
  const { server, port } = await CoordinatorServer.listen('127.0.0.1:0', {
    handler: {
      onReady: (ready) => void joined(ready), onHeard: ignore, onComputed: ignore, onAbandoned: ignore, onDraining: ignore, onEvaluation: ignore, onSpans: ignore, onClock: ignore, onLost: ignore,
      onGradient: () => {
        if (++received === CHUNKS) allGradients()
      },
    },
    runId: 'run', run: '{}', manifest: Buffer.alloc(3 * MIB), sampleCount: 1, brief: () => undefined, source: { read: () => Promise.resolve([]) },
    access: { token: undefined, tls: undefined, maxWorkers: 1 }, silenceLimitMs: 30_000,
  })
  t.after(() => server.close({ message: 'stop', stop: { reason: 'the test is over', finished: true } }))

  let came = 0
  let allWeights: () => void = () => undefined
  const weights = new Promise<void>((resolve) => (allWeights = resolve))
  let welcomed: (session: string) => void = () => undefined
  const session = new Promise<string>((resolve) => (welcomed = resolve))
  const link = new Connection(`127.0.0.1:${port}`, { token: undefined, tls: undefined }, (message) => {
    if (message.message === 'welcome') welcomed(message.welcome.session)
  })
  t.after(() => link.close())
  link.send({ message: 'hello', hello: { protocolVersion: PROTOCOL_VERSION, name: 'w', instance: 'i' } })
  link.openBulk(await session, [], () => {
    if (++came === CHUNKS) allWeights()
  })
  assert.equal((await link.fetchManifest()).length, 3 * MIB)
  const engine = JSON.stringify({ kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'none' })
  link.send({ message: 'ready', ready: { engine, fingerprint: 'f', datasetDigest: '', metricsAddress: '' } })

  const { sendWeights } = await member.then((each) => ({ sendWeights: each.sendWeights.bind(each) }))
  const data = Buffer.alloc(MIB)
  for (let version = 0; version < CHUNKS; version++) sendWeights({ version, offset: 0, data, leftOut: false })
  const sent: Promise<void>[] = []
  for (let round = 0; round < CHUNKS; round++) sent.push(link.sendGradient({ round, attempt: 0, node: 0, offset: 0, data, lanes: [], began: 0 }))
  await Promise.all([weights, gradients, ...sent])
})
