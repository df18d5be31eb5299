import assert from 'node:assert/strict'
import test from 'node:test'
import { Restarts } from '../../../coordinator/local/restarts.ts'

test('a process that took part is started again, each time later, and five times in ten minutes', () => {
  const restarts = new Restarts()
  const waits: (number | undefined)[] = []
  for (let time = 0; time < 6; time++) {
    restarts.takesPart('local-1')
    waits.push(restarts.after('local-1', time))
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, undefined])
  restarts.takesPart('local-1')
  assert.equal(restarts.after('local-1', 602), 4000, 'restarts of more than ten minutes ago do not count')
})

test('a process that ended before it took part is not, and each counts for itself', () => {
  const restarts = new Restarts()
  assert.equal(restarts.after('local-1', 0), undefined)
  restarts.takesPart('local-2')
  assert.equal(restarts.after('local-1', 0), undefined)
  assert.equal(restarts.after('local-2', 0), 1000)
  assert.equal(restarts.after('local-2', 1), undefined, 'it has not taken part since')
})
