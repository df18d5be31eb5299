import assert from 'node:assert/strict'
import test from 'node:test'
import { ClockProbe } from '../../../../shared/trace/clock_probe.ts'
import { ProtocolError } from '../../../../shared/kit/errors.ts'

/** Answers a probe's questions one after the other, each after `took` seconds, until none is due. @returns the number of answers */
function answerAll(probe: ClockProbe, now: number, ahead: number, took = 0): number {
  let answers = 0
  for (let sent = probe.ask(now); sent !== undefined; sent = probe.ask(now), answers++) probe.answered({ sent, clock: sent + took / 2 + ahead }, now + took)
  return answers
}

test('the first questions follow each other, then there is one every two seconds', () => {
  const probe = new ClockProbe()
  assert.equal(answerAll(probe, 10, 1000), 8)
  assert.equal(probe.ask(11.9), undefined)
  assert.equal(answerAll(probe, 12, 1000), 1)
  assert.equal(probe.ask(13.9), undefined)
  assert.equal(probe.ahead, 1000)
})

test('a process that hangs is not asked again; its late answer counts as what it is: a slow one', () => {
  const probe = new ClockProbe()
  const sent = probe.ask(10)
  assert.equal(sent, 10)
  assert.equal(probe.ask(12), undefined)
  assert.equal(probe.ask(600), undefined)
  probe.answered({ sent, clock: 1600 }, 600)
  assert.equal(probe.ahead, 1600 - 305)
  assert.equal(answerAll(probe, 601, 1000), 7)
  assert.equal(probe.ahead, 1000)
})

test('an answer to no question breaks the protocol: of another time, twice, or before any question', () => {
  const probe = new ClockProbe()
  assert.throws(() => probe.answered({ sent: 10, clock: 0 }, 10), ProtocolError)
  assert.equal(probe.ask(10), 10)
  assert.throws(() => probe.answered({ sent: 9, clock: 0 }, 11), ProtocolError)
  probe.answered({ sent: 10, clock: 0 }, 11)
  assert.throws(() => probe.answered({ sent: 10, clock: 0 }, 11), ProtocolError)
})
