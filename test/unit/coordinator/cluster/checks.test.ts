import assert from 'node:assert/strict'
import test from 'node:test'
import { Checks } from '../../../../coordinator/cluster/checks.ts'
import type { Member } from '../../../../coordinator/contract/member.ts'
import { ProtocolError } from '../../../../shared/kit/errors.ts'
import { LaneTree } from '../../../../shared/lanes/lane_tree.ts'
import type { Check, Checked } from '../../../../shared/wire/messages.ts'

const memberNamed = (name: string): Member => ({
  id: name, name, identity: name, identityBy: 'name', facts: undefined, residentBytes: 0, bytesReceived: 0, bytesSent: 0, backlogBytes: 0,
  send: () => undefined, sendWeights: () => undefined, evict: () => undefined,
})
const digest = 'a'.repeat(32)

test('only the answer of who was asked is progress, and only once; one to another check breaks the protocol', () => {
  const asked: Check[] = []
  const progress: string[] = []
  const checks = new Checks({
    share: 1, attentiveUntil: 0, secret: 'secret', random: () => 0, tree: new LaneTree(4), now: () => 0, observe: () => undefined,
    send: (_, message) => message.message === 'check' && asked.push(message.check),
    evict: () => undefined, onChecking: (worker, lanes) => progress.push(`${worker} ${lanes}`), putOut: () => undefined, fail: () => undefined,
  })
  const [a, b] = ['a', 'b'].map(memberNamed)
  checks.join(a)
  checks.join(b)
  checks.begin({ epoch: 1, stepInEpoch: 0, step: 0 }, 1)
  checks.dealt(a, [0, 1, 2, 3])
  checks.deposit(a, { round: 1, node: 0, begin: 0, floats: 8, digest })
  checks.whole(a, { round: 1, node: 0, attempt: 0, began: 0, lanes: [{ lane: 0, lossSum: 1, correct: 1, samples: 2, seconds: 0, notFinite: false }] })
  assert.deepEqual(progress, ['b 4'])

  const answer: Checked = { id: asked[0].id, key: asked[0].key, digests: [digest], notFinite: false, gone: false }
  checks.answered('a', answer)
  assert.throws(() => checks.answered('b', { ...answer, key: '0'.repeat(32) }), { name: ProtocolError.name, message: /another check/ })
  assert.throws(() => checks.answered('b', { ...answer, digests: [] }), { name: ProtocolError.name, message: /0 digests in answer to check 0, which asked for 1/ })
  assert.throws(() => checks.answered('b', { ...answer, id: 1 }), { name: ProtocolError.name, message: /nobody has asked for/ })
  assert.deepEqual(progress, ['b 4'], 'a was not asked, and b has not answered')
  for (let times = 0; times < 3; times++) checks.answered('b', answer)
  assert.deepEqual(progress, ['b 4', 'b 0'])
})
