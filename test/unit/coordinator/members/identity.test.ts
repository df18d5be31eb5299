import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import { makeCertificates } from '../../../../cli/certs/certificates.ts'
import type { Member, MemberHandler } from '../../../../coordinator/contract/member.ts'
import { Bans } from '../../../../coordinator/members/bans.ts'
import { CoordinatorServer } from '../../../../coordinator/members/server.ts'
import type { Access } from '../../../../coordinator/port/access.ts'
import { endOf, type Calls } from '../../../support/grpc.ts'
import { madeUp } from '../../../support/made_up_data.ts'
import { openChannel } from '../../../../shared/wire/channel.ts'
import { Token, type Holder, type Tokens } from '../../../../shared/security/token.ts'
import type { TlsFiles } from '../../../../shared/security/tls.ts'
import { PROTOCOL_VERSION, type CoordinatorMessage } from '../../../../shared/wire/messages.ts'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { until } from '../../../support/until.ts'

/** Tests of who a worker is, with real sockets and certificates: who is taken for whom, who may not take part, and who is put out. */

const { files } = await makeCertificates(['192.0.2.10'], 30, new Date(), ['gpu1', 'gpu2'])
const file = (name: string): Buffer => Buffer.from(files.get(name) ?? '')
const tlsOf = (name: string): TlsFiles => ({ ca: file('ca.crt'), identity: { cert: file(`${name}.crt`), key: file(`${name}.key`) } })
const token = (name: string | undefined): Token => new Token(`the-token-of-${name ?? 'nobody-in-particular'}`, 'the test', name)

/** Several tokens, as a file has them. */
const tokens: Tokens = {
  header: token(undefined).header, handedOn: token(undefined).handedOn,
  holderOf: (header): Holder | undefined => [undefined, 'gpu1', 'gpu2'].map(token).find((each) => each.holderOf(header)),
}

interface Asked {
  /** Present workers. */
  members: Map<string, Member>
  lost: string[]
  denied: Set<string>
  bans: Bans
  /** Says hello. @returns how the coordinator answers: with the worker's name and identity, or the reason */
  hello: (name: string, by: { tls?: string; token?: Token }) => Promise<string>
  /** Opens a stream of briefs. @returns how it ends */
  watch: (by: { tls?: string; token?: Token }) => Promise<string>
}

const engine = JSON.stringify({ kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'none' })
const ready = { ready: { engine, fingerprint: 'f', datasetDigest: '', metricsAddress: '', inputFingerprint: 'i', versions: 'v' } }

async function ask(t: TestContext, access: Pick<Access, 'token' | 'tls'>): Promise<Asked> {
  const members = new Map<string, Member>()
  const lost: string[] = []
  const denied = new Set<string>()
  const bans = new Bans()
  const handler: MemberHandler = {
    onReady: (member) => void members.set(member.name, member),
    onLost: (member, reason) => lost.push(`${member.name}: ${reason}`),
    onHeard: () => undefined, onComputed: () => undefined, onAbandoned: () => undefined, onDraining: () => undefined, onEvaluation: () => undefined, onGradient: () => undefined,
    onChecked: () => undefined, onSpans: () => undefined, onClock: () => undefined,
  }
  const { server, port } = await CoordinatorServer.listen('127.0.0.1:0', {
    handler, runId: 'run', run: '{}', dataset: madeUp(2), brief: () => undefined, source: { read: () => Promise.resolve([]) }, onUnreadable: () => undefined, bans,
    access: { ...access, maxWorkers: 8, deny: { refusalOf: (name) => (denied.has(name) ? `${name} is denied.` : undefined) } },
    now: () => performance.now(), silenceLimitMs: 60_000, patience: { namelessMs: 60_000, helloMs: 60_000 },
  })
  t.after(() => server.close({ message: 'stop', stop: { reason: 'the test is over', finished: true } }))
  const callsOf = ({ tls, token: presented }: { tls?: string; token?: Token }, kind: 'control' | 'down'): Calls => {
    const calls = openChannel<Calls>(`127.0.0.1:${port}`, { token: presented, tls: tls === undefined ? undefined : tlsOf(tls) }, kind, 'test')
    t.after(() => calls.close())
    return calls as Calls
  }
  const hello: Asked['hello'] = (name, by) => new Promise((resolve) => {
    const control = callsOf(by, 'control').control() as unknown as ClientDuplexStream<unknown, CoordinatorMessage & { welcome?: { session: string }; refused?: { reason: string } }>
    control.on('error', ({ details }: ServiceError) => resolve(details))
    control.on('data', ({ welcome, refused }: { welcome?: { session: string }; refused?: { reason: string } }) => {
      if (refused) return resolve(refused.reason)
      if (!welcome) return
      const bulk = callsOf(by, 'down')
      bulk.receiveWeights({ session: welcome.session }).on('error', () => undefined)
      // Calls of one connection are answered in the order of their coming.
      void endOf(bulk.fetchImages({ session: welcome.session, samples: [] })).then(() => control.write(ready))
      const before = members.size
      void until(() => members.size > before).then(() => {
        const member = [...members.values()].at(-1)
        resolve(`${member?.name} is ${member?.identity} by ${member?.identityBy}`)
      })
    })
    control.write({ hello: { protocolVersion: PROTOCOL_VERSION, name, instance: randomUUID() } })
  })
  const watch: Asked['watch'] = (by) => new Promise((resolve) => {
    callsOf(by, 'down').watch({ intervalMs: 1000 }).on('error', ({ details }: ServiceError) => resolve(details)).on('end', () => resolve('')).on('data', () => undefined)
  })
  return { members, lost, denied, bans, hello, watch }
}

test('the name in a certificate is that of the worker, and no other', async (t) => {
  const { hello } = await ask(t, { token: undefined, tls: tlsOf('coordinator') })
  assert.equal(await hello('gpu1', { tls: 'gpu1' }), 'gpu1 is gpu1 by certificate')
  assert.equal(await hello('gpu1', { tls: 'gpu1' }), 'gpu1 (2) is gpu1 by certificate')
  assert.equal(await hello('gpu2', { tls: 'gpu1' }), 'its certificate is that of gpu1, and it calls itself gpu2: leave --name out, or give it a certificate of its own (`herd certs --worker NAME`).')
})

test('certificates that several have name nobody: a token does, or else the worker itself', async (t) => {
  const { hello } = await ask(t, { token: tokens, tls: tlsOf('coordinator') })
  assert.equal(await hello('own name', { tls: 'worker', token: token(undefined) }), 'own name is own name by name')
  assert.equal(await hello('own name', { tls: 'coordinator', token: token(undefined) }), 'own name (2) is own name (2) by name')
  assert.equal(await hello('a', { tls: 'worker', token: token('gpu2') }), 'a is gpu2 by token')
  assert.equal(await hello('gpu1', { tls: 'gpu1', token: token('gpu2') }), 'gpu1 is gpu1 by certificate')
  assert.match(await hello('a', { tls: 'worker', token: token('gpu3') }), /^the token is not that of this coordinator/)
})

test('an identity that is denied is refused, and whatever it has open ends, the others stay', async (t) => {
  const { hello, watch, members, lost, denied } = await ask(t, { token: tokens, tls: undefined })
  assert.equal(await hello('a', { token: token('gpu1') }), 'a is gpu1 by token')
  assert.equal(await hello('b', { token: token('gpu2') }), 'b is gpu2 by token')
  assert.equal(await hello('c', { token: token(undefined) }), 'c is c by name')
  const [watched, other] = [watch({ token: token('gpu1') }), watch({ token: token('gpu2') })]
  // The call is open once a brief could come: until then it would be refused rather than ended.
  await hello('d', { token: token('gpu1') })
  denied.add('gpu1').add('c')
  assert.equal(await watched, 'gpu1 is denied.')
  await until(() => lost.length === 3)
  assert.deepEqual(lost, ['a: gpu1 is denied.', 'c: c is denied.', 'd: gpu1 is denied.'])
  assert.equal(await hello('a', { token: token('gpu1') }), 'gpu1 is denied.')
  assert.equal(await hello('c', { token: token(undefined) }), 'c is denied.')
  assert.equal(await watch({ token: token('gpu1') }), 'gpu1 is denied.')
  denied.clear()
  members.clear()
  assert.equal(await hello('a', { token: token('gpu1') }), 'a is gpu1 by token')
  assert.equal(await Promise.race([other, Promise.resolve('still open')]), 'still open')
})

test('an identity that was put out of the run goes, and does not come back', async (t) => {
  const { hello, members, lost, bans } = await ask(t, { token: undefined, tls: tlsOf('coordinator') })
  await hello('gpu1', { tls: 'gpu1' })
  await hello('gpu2', { tls: 'gpu2' })
  const liar = members.get('gpu1')
  assert.ok(liar)
  bans.ban(liar, { step: 7, reason: 'it lied' })
  await until(() => lost.length === 1)
  assert.deepEqual(lost, ['gpu1: gpu1 was put out of this run at step 7: it lied.'])
  assert.equal(await hello('gpu1', { tls: 'gpu1' }), 'gpu1 was put out of this run at step 7: it lied.')
})
