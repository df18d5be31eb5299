import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type TestContext } from 'node:test'
import { CoordinatorServer } from '../../../../coordinator/members/server.ts'
import { madeUp } from '../../../support/made_up_data.ts'
import type { RunBrief } from '../../../../live/view.ts'
import { herdService } from '../../../../shared/wire/service.ts'
import { exampleBrief, exampleMember } from '../../../support/brief.ts'
import { connectTo, endOf, type Calls } from '../../../support/grpc.ts'

/** Tests of watchers over real sockets. */
const NAMELESS_MS = 600

interface Watched {
  address: string
  port: number
  connect(): Calls
  close(): Promise<void>
}

async function listen(t: TestContext, brief: () => RunBrief | undefined): Promise<Watched> {
  const none = (): undefined => undefined
  const { server, port } = await CoordinatorServer.listen('127.0.0.1:0', {
    handler: { onReady: none, onHeard: none, onComputed: none, onAbandoned: none, onDraining: none, onEvaluation: none, onGradient: none, onChecked: none, onSpans: none, onClock: none, onLost: none },
    runId: 'run', run: '{}', dataset: madeUp(2), source: { read: () => Promise.resolve([]) }, onUnreadable: () => undefined, brief,
    access: { token: undefined, tls: undefined, maxWorkers: 1 }, silenceLimitMs: 1000, now: () => performance.now(), patience: { namelessMs: NAMELESS_MS, helloMs: 400 },
  })
  const close = (): Promise<void> => server.close({ message: 'stop', stop: { reason: 'the test is over', finished: true } })
  t.after(close)
  const address = `127.0.0.1:${port}`
  const connect = (): Calls => {
    const client = connectTo(address)
    t.after(() => client.close())
    return client
  }
  return { address, port, connect, close }
}

test('a watcher hears at once how the run is, then as often as it asked for, and in the end how it ended', async (t) => {
  let state: RunBrief['state'] = 'training'
  const { connect, close } = await listen(t, () => exampleBrief({ state }))
  const rarely = connect().watch({ intervalMs: 3_600_000 }).on('error', () => undefined)
  await once(rarely, 'data')
  rarely.cancel()

  const got: string[] = []
  const call = connect().watch({ intervalMs: 300 })
  call.on('data', ({ json }: { json: string }) => got.push((JSON.parse(json) as RunBrief).state))
  await once(call, 'data')
  // This is longer than a connection without a member may stay.
  await sleep(2 * NAMELESS_MS)
  const regular = got.length
  assert.ok(regular >= 3 && regular <= 8, `${regular} briefs`)
  state = 'finished'
  await Promise.all([once(call, 'end'), close()])
  assert.equal(got.at(-1), 'finished')
})

test('as long as there is nothing to see, a watcher hears that somebody is there', async (t) => {
  let brief: RunBrief | undefined = undefined
  const { connect } = await listen(t, () => brief)
  const call = connect().watch({ intervalMs: 250 }).on('error', () => undefined)
  const first = once(call, 'data') as Promise<[{ json: string }]>
  await once(call, 'metadata')
  const { facts } = (brief = exampleBrief())
  const [{ json }] = await first
  assert.deepEqual((JSON.parse(json) as RunBrief).facts, facts)
  call.cancel()
})

test('more than sixteen do not watch at a time; when one leaves, another may', async (t) => {
  const { connect } = await listen(t, () => exampleBrief())
  const client = connect()
  const watch = async (): Promise<ReturnType<Calls['watch']>> => {
    const call = client.watch({ intervalMs: 60_000 }).on('error', () => undefined)
    await once(call, 'data')
    return call
  }
  const calls = await Promise.all(Array.from({ length: 16 }, watch))
  assert.match(await endOf(client.watch({ intervalMs: 250 })), /^16 watch this run already/)
  const gone = endOf(calls[0])
  calls[0].cancel()
  await gone
  // The cancellation takes a moment to reach the coordinator.
  for (let tries = 0; ; tries++) {
    const call = client.watch({ intervalMs: 60_000 })
    const heard = await Promise.race([once(call, 'data').then(() => true), endOf(call).then(() => false)])
    if (heard) break
    assert.ok(tries < 50, 'the place stays taken')
    await sleep(20)
  }
  for (const call of calls) call.cancel()
})

test('who does not read is sent no more, and cut off', { timeout: 30_000 }, async (t) => {
  let asked = 0
  const large = exampleBrief({ members: Array.from({ length: 1000 }, (_, index) => exampleMember(`worker-${index}`)) })
  const { port } = await listen(t, () => {
    asked++
    return large
  })
  const session = http2.connect(`http://127.0.0.1:${port}`)
  const closed = once(session, 'close')
  const { path, requestSerialize } = herdService().service['Watch']
  const body = requestSerialize({ intervalMs: 250 })
  const call = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' })
  call.on('error', () => undefined)
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(body.length, 1)
  call.end(Buffer.concat([prefix, body]))
  // The answer is not read, so it stops at the flow-control window of the stream.
  await closed
  assert.ok(asked >= 20 && asked <= 30, `it was told ${asked} times how the run is`)
})

test('a request that is none ends the call with the reason', async (t) => {
  const { connect } = await listen(t, () => exampleBrief())
  const client = connect()
  const raw = (bytes: Buffer): Promise<string> => endOf(client.makeServerStreamRequest('/herd.v1.Herd/Watch', (value: Buffer) => value, (value: Buffer) => value, bytes))
  assert.match(await raw(Buffer.from([0xff])), /a request to watch cannot be decoded/)
  assert.match(await raw(Buffer.alloc(2000, Buffer.from([0x12, 0]))), /a request to watch is longer than is allowed: 2000 bytes, where 1024 are/)
})
