import assert from 'node:assert/strict'
import test from 'node:test'
import { deferred, Turns, Waits } from '../../../../shared/kit/async.ts'

test('a promise is settled from outside, once', async () => {
  const { promise, resolve, reject } = deferred<number>()
  resolve(1)
  resolve(2)
  reject(new Error('too late'))
  assert.equal(await promise, 1)
  const failed = deferred<number>()
  failed.reject(new Error('no'))
  await assert.rejects(failed.promise, /no/)
})

test('turns run one after the other, in their order; one that fails tells its own caller alone', async () => {
  const turns = new Turns()
  const order: string[] = []
  const gate = deferred<void>()
  const first = turns.take(async () => {
    order.push('first begins')
    await gate.promise
    order.push('first ends')
    throw new Error('broken')
  })
  const second = turns.take(() => order.push('second'))
  const ended = turns.ended().then(() => order.push('ended'))
  gate.resolve()
  await assert.rejects(first, /broken/)
  assert.equal(await second, 3)
  await ended
  assert.deepEqual(order, ['first begins', 'first ends', 'second', 'ended'])
})

test('all who wait fail when nobody will come, those that wait later too', async () => {
  const waits = new Waits()
  const early = waits.for(deferred<never>().promise)
  const done = waits.for(Promise.resolve('here'))
  assert.equal(await done, 'here')
  waits.fail(new Error('nobody will come'))
  await assert.rejects(early, /nobody will come/)
  await assert.rejects(waits.for(deferred<never>().promise), /nobody will come/)
})
