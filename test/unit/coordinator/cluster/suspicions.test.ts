import assert from 'node:assert/strict'
import test from 'node:test'
import { Suspicions } from '../../../../coordinator/cluster/suspicions.ts'

test('a norm is suspicious when it is far above the usual one, once twenty are known', () => {
  const suspicions = new Suspicions()
  for (let step = 0; step < 20; step++) assert.equal(suspicions.normJumps(step === 3 ? 50 : 1 + step / 100), false, 'too few are known')
  assert.equal(suspicions.normJumps(9), false)
  assert.equal(suspicions.normJumps(20), true)
  for (let step = 0; step < 60; step++) suspicions.normJumps(20)
  assert.equal(suspicions.normJumps(20), false, 'it is the usual one by now')
})

test('a result is too soon when it came in less than a quarter of the time that the fastest other worker takes for a lane', () => {
  const suspicions = new Suspicions()
  assert.equal(suspicions.tooSoon('a', 1, 1), false, 'nobody else is known')
  assert.equal(suspicions.tooSoon('b', 2, 200), false)
  assert.equal(suspicions.tooSoon('c', 1, 30), false)
  assert.equal(suspicions.tooSoon('d', 2, 40), false, 'a fast machine')
})

test('who proved right three times is that fast', () => {
  const suspicions = new Suspicions()
  suspicions.tooSoon('slow', 1, 1000)
  for (let time = 0; time < 3; time++) {
    assert.equal(suspicions.tooSoon('fast', 1, 10), true)
    suspicions.clear('fast')
  }
  assert.equal(suspicions.tooSoon('fast', 1, 10), false)
  suspicions.forget('fast')
  assert.equal(suspicions.tooSoon('fast', 1, 10), true, 'it has left, and comes again')
})
