import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { ClientWritableStream } from '@grpc/grpc-js'
import { freshState } from '../../../shared/optim/optimizer.ts'
import { ReducerServer } from '../../../reducer/server.ts'
import { ReducerSession } from '../../../reducer/session.ts'
import { layoutOf } from '../../../shared/model/layout.ts'
import { networkSchema } from '../../../shared/model/network.ts'
import { CHUNK_FLOATS, chunkRanges } from '../../../shared/vectors/chunks.ts'
import { Token } from '../../../shared/security/token.ts'
import { bytesOf } from '../../../shared/kit/floats.ts'
import type { ReducerMessage } from '../../../shared/wire/messages.ts'
import { connectTo, endOf, type Calls } from '../../support/grpc.ts'
import { defaultOptimizer, optimizerOf } from '../../../shared/optim/optimizers.ts'

/** A network whose vector has four chunks, of which the reducer owns the last three. */
const network = networkSchema.parse({
  name: 'wide', imageSize: 16, classes: 2, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'flatten' }, { type: 'dense', units: 1200 }, { type: 'dense', units: 2 }],
})
const layout = layoutOf(network)
const range = { begin: CHUNK_FLOATS, end: layout.size }
const chunks = chunkRanges(layout.size).slice(1)

const optimizer = optimizerOf(defaultOptimizer)

interface Opened {
  session: ReducerSession
  address: string
  told: ReducerMessage[]
  /** Makes a client, which is closed at the end of the test. */
  client: (authorization?: string) => Calls
  says: (message: ReducerMessage['message']) => Promise<ReducerMessage>
}

async function open(context: TestContext, token?: Token): Promise<Opened> {
  const { server, port } = await ReducerServer.listen('127.0.0.1:0', { token, tls: undefined, maxWorkers: 4 })
  const told: ReducerMessage[] = []
  const session = new ReducerSession({
    assigned: { ...range, version: 0 }, layout, run: { lanes: 1, seed: 0, compress: 'none', compressWeights: 'none', clip: null }, optimizer, start: freshState(optimizer, range.end - range.begin), connections: server.connections, now: () => 0,
    send: (message) => void told.push(message), sendState: () => undefined,
  })
  server.session = session
  const clients: Calls[] = []
  context.after(async () => {
    for (const client of clients) client.close()
    await server.close()
  })
  const address = `127.0.0.1:${port}`
  return {
    session, address, told,
    client: (authorization) => {
      const client = connectTo(address, authorization)
      clients.push(client)
      return client
    },
    says: async (kind) => {
      for (;;) {
        const message = told.find((each) => each.message === kind)
        if (message !== undefined) return message
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
  }
}

/** Yields the chunks of a partial sum of the only lane, from an index on. */
function* partial(session: string, round: number, from = 0): Generator<object> {
  for (const [index, { begin, end }] of chunks.entries()) {
    if (index < from) continue
    yield {
      session, round, attempt: 0, node: 0, offset: begin, data: bytesOf(new Float32Array(end - begin).fill(2)), began: 1,
      lanes: index === chunks.length - 1 ? [{ lane: 0, lossSum: 1, correct: 1, samples: 4, seconds: 1, notFinite: false }] : [],
    }
  }
}

function gradientsOf(client: Calls): { stream: ClientWritableStream<unknown>; ended: Promise<string> } {
  let settle: (reason: string) => void = () => undefined
  const ended = new Promise<string>((resolve) => (settle = resolve))
  const stream = client.sendGradients((error) => settle(error?.details ?? ''))
  stream.on('error', () => undefined)
  return { stream, ended }
}

test('an admitted worker gets the weights once it is a member, and those of a step when it is summed', async (context) => {
  const { session, client, told, says } = await open(context)
  session.take({ message: 'admit', admit: { session: 'w' } })
  assert.deepEqual(told, [{ message: 'admitted', admitted: { session: 'w' } }])
  const weights = client().receiveWeights({ session: 'w' })
  weights.on('error', () => undefined)
  const received: { version: number; offset: number; leftOut: boolean }[] = []
  weights.on('data', ({ version, offset, leftOut }: { version: number; offset: number; leftOut: boolean }) => received.push({ version, offset, leftOut }))
  // The coordinator's `join` may come before the worker's stream, or after it.
  session.take({ message: 'join', join: { session: 'w' } })
  while (received.length < 3) await once(weights, 'data')
  assert.deepEqual(received.splice(0), chunks.map(({ begin }) => ({ version: 0, offset: begin, leftOut: false })))

  const up = client()
  assert.equal(await endOf(up.fetchManifest({ session: 'w' })), '')
  const { stream } = gradientsOf(up)
  // The lane was dealt when the step had begun; its gradient overtakes the coordinator's `begin`.
  for (const chunk of partial('w', 1)) stream.write(chunk)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.deepEqual(told.map(({ message }) => message), ['admitted'])
  session.take({ message: 'begin', begin: { round: 1, samples: 4, update: 1, rate: 0.1, digestKey: '' } })
  // The coordinator's word that the lane is the worker's comes later still: until then, its chunks wait.
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.deepEqual(told.map(({ message }) => message), ['admitted'])
  session.take({ message: 'dealt', dealt: { session: 'w', round: 1, lanes: [0] } })
  const summed = await says('summed')
  assert.deepEqual(told.map(({ message }) => message), ['admitted', 'whole', 'summed'])
  assert.ok(summed.message === 'summed')
  assert.deepEqual(summed.summed.squares, chunks.map(({ begin, end }) => 4 * (end - begin)))
  assert.deepEqual([summed.summed.round, summed.summed.notFinite, summed.summed.traffic[0].received], [1, undefined, 4 * (range.end - range.begin)])
  while (received.length < 3) await once(weights, 'data')
  session.take({ message: 'settle', settle: { round: 1, leaveOut: true, scale: 1 } })
  while (received.length < 6) await once(weights, 'data')
  assert.deepEqual(received, [false, true].flatMap((leftOut) => chunks.map(({ begin }) => ({ version: 1, offset: begin, leftOut }))))
})

test('whoever is not admitted gets nothing, and who breaks the protocol is reported to the coordinator', async (context) => {
  const { session, client, told } = await open(context)
  for (const id of ['a', 'b', 'c', 'd']) session.take({ message: 'admit', admit: { session: id } })
  assert.equal(await endOf(client().receiveWeights({ session: 'stranger' })), 'no such session')
  assert.equal(await endOf(client().fetchManifest({ session: '' })), 'no such session')
  const stranger = gradientsOf(client())
  stranger.stream.write([...partial('stranger', 1)][0])
  assert.equal(await stranger.ended, 'a gradient chunk of no member')
  for (const call of ['control', 'watch'] as const) assert.match(await endOf(call === 'control' ? client().control() : client().watch({ intervalMs: 1000 })), /method/)
  assert.ok(told.every(({ message }) => message === 'admitted'))

  session.take({ message: 'begin', begin: { round: 1, samples: 4, update: 1, rate: 0.1, digestKey: '' } })
  const breaches: [id: string, chunk: object, reason: RegExp][] = [
    ['a', [...partial('a', 1)][0], /a gradient chunk of no member/],
    ['b', { ...[...partial('b', 1)][0], round: 2 }, /round 2, which is of another kind/],
    ['c', { ...[...partial('c', 1)][0], offset: 0 }, /came out of order/],
    ['d', { ...[...partial('d', 1)][0], data: Buffer.alloc(6) }, /a gradient chunk of 6 bytes has no whole float32 values/],
  ]
  for (const [id, chunk, reason] of breaches) {
    if (id !== 'a') {
      const weights = client().receiveWeights({ session: id })
      weights.on('error', () => undefined).resume()
      session.take({ message: 'join', join: { session: id } })
      session.take({ message: 'dealt', dealt: { session: id, round: 1, lanes: [0] } })
      await once(weights, 'data')
    }
    const { stream, ended } = gradientsOf(client())
    stream.write(chunk)
    assert.match(await ended, reason)
    const broken = told.findLast((each) => each.message === 'broken')
    assert.ok(broken?.message === 'broken' && broken.broken.session === id && reason.test(broken.broken.reason), JSON.stringify(broken))
  }
  assert.throws(() => session.take({ message: 'settle', settle: { round: 1, leaveOut: false, scale: 1 } }), /settles round 1, which is not summed/)
  assert.throws(() => session.take({ message: 'begin', begin: { round: 1, samples: 4, update: 1, rate: 0.1, digestKey: '' } }), /begins round 1, and round 1 is not settled/)
  assert.throws(() => session.take({ message: 'gather', gather: { id: 1, moments: true, version: 1 } }), /asks for weights 1, where weights 0 are/)
})

test('the token is asked for', async (context) => {
  const token = new Token('a-token-of-this-cluster', 'the test')
  const { session, client } = await open(context, token)
  session.take({ message: 'admit', admit: { session: 'w' } })
  assert.match(await endOf(client().fetchManifest({ session: 'w' })), /asks for a token/)
  assert.equal(await endOf(client(token.header).fetchManifest({ session: 'w' })), '')
})
