import assert from 'node:assert/strict'
import test from 'node:test'
import { JoinPace } from '../../../../coordinator/members/join_pace.ts'
import { Sessions, type Joining } from '../../../../coordinator/members/sessions.ts'
import { WorkerSession } from '../../../../coordinator/members/worker_session.ts'

const SHORT = { openMs: 100, gaveGradients: false }

test('who joins and leaves in vain waits after 32 times, and may join every two seconds from then on', () => {
  let now = 0
  const pace = new JoinPace(() => now)
  for (let i = 0; i < 32; i++) {
    assert.equal(pace.waitMs('loop'), 0)
    pace.ended('loop', SHORT)
  }
  assert.equal(pace.waitMs('loop'), 2000)
  assert.equal(pace.waitMs('another'), 0)
  now = 1999
  assert.ok(pace.waitMs('loop') > 0)
  let joined = 0
  for (now = 2000; now <= 22_000; now += 100) {
    if (pace.waitMs('loop') > 0) continue
    joined++
    pace.ended('loop', SHORT)
  }
  assert.ok(joined >= 10 && joined <= 11, `${joined} times in twenty seconds`)
  now += 64_000
  for (let i = 0; i < 32; i++) {
    assert.equal(pace.waitMs('loop'), 0, 'a minute later, all is forgiven')
    pace.ended('loop', SHORT)
  }
})

test('who computes, or stays for ten seconds, never waits', () => {
  const pace = new JoinPace(() => 0)
  for (let i = 0; i < 1000; i++) {
    pace.ended('killed at its work', { openMs: 100, gaveGradients: true })
    pace.ended('patient', { openMs: 10_000, gaveGradients: false })
  }
  assert.deepEqual([pace.waitMs('killed at its work'), pace.waitMs('patient')], [0, 0])
})

test('made-up names fill no memory: the oldest are forgotten', () => {
  const pace = new JoinPace(() => 0)
  for (let i = 0; i < 32; i++) pace.ended('first', SHORT)
  assert.ok(pace.waitMs('first') > 0)
  for (let i = 0; i < 1024; i++) pace.ended(`name ${i}`, SHORT)
  assert.equal(pace.waitMs('first'), 0)
})

test('sessions let nobody in before its time, whatever it calls itself, and others at once', () => {
  let now = 0
  let opened = 0
  const sessions = new Sessions({ maximum: 8, connections: { claim: () => undefined, release: () => undefined, widen: () => undefined }, newId: () => `session ${opened++}`, pace: new JoinPace(() => now), now: () => now })
  const join = (identity: string, name: string): ReturnType<Sessions['open']> => {
    const hello: Joining = { name, instance: `process ${opened}`, peer: '192.0.2.20:40000', proven: { identity, identityBy: 'token' }, control: { send: () => undefined, cut: () => undefined }, onGradient: () => undefined }
    const answer = sessions.open(hello)
    if (answer instanceof WorkerSession) sessions.remove(answer)
    return answer
  }
  for (let i = 0; i < 32; i++) assert.ok(join('gpu1', `name ${i}`) instanceof WorkerSession)
  assert.deepEqual(join('gpu1', 'another name'), { how: 'full', reason: 'gpu1 has joined and left again too often without computing anything: it may join again in 2 s' })
  assert.ok(join('gpu2', 'gpu2') instanceof WorkerSession)
  now = 2000
  assert.ok(join('gpu1', 'another name') instanceof WorkerSession)
})
