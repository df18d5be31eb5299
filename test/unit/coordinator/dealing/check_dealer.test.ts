import assert from 'node:assert/strict'
import test from 'node:test'
import { CheckDealer, type CheckAction, type CheckEvent, type CheckTask, type Opinion } from '../../../../coordinator/dealing/check_dealer.ts'

const nobody: ReadonlySet<string> = new Set()
const right: Opinion = { digests: ['aa'], notFinite: false }
const wrong: Opinion = { digests: ['bb'], notFinite: false }
const notFinite = (...digests: string[]): Opinion => ({ digests, notFinite: true })

type Without<E> = E extends { now: number } ? Omit<E, 'now'> : never

interface Played {
  step: (event: Without<CheckEvent>) => CheckAction[]
  join: (worker: string, identity?: string, arithmetic?: string) => CheckAction[]
  open: (claim: Opinion, task?: Partial<CheckTask>) => CheckAction[]
  answer: (worker: string, opinion: Opinion | 'gone', id?: number) => CheckAction[]
  clock: { now: number }
}

/** A dealer that draws the first of those whom it may ask. Sums are those of worker a, of one lane. */
function played(): Played {
  const dealer = new CheckDealer(() => 0)
  const clock = { now: 0 }
  const step: Played['step'] = (event) => dealer.step({ ...event, now: clock.now } as CheckEvent)
  return {
    step, clock,
    join: (worker, identity = worker, arithmetic = 'x') => step({ type: 'joined', worker, identity, arithmetic }),
    open: (claim, task = {}) => step({ type: 'open', task: { id: 0, suspect: 'a', arithmetic: 'x', claim, lanes: 1, mustDecide: false, ...task } }),
    answer: (worker, opinion, id = 0) => step({ type: 'answered', worker, id, opinion }),
  }
}

test('a sum is confirmed when another identity has computed it too', () => {
  const { join, open, answer } = played()
  join('a')
  join('b')
  assert.deepEqual(open(right), [{ type: 'ask', worker: 'b', id: 0 }])
  assert.deepEqual(answer('b', right), [{ type: 'confirmed', id: 0, exact: true }])
  assert.deepEqual(answer('b', wrong), [], 'it is decided')
})

test('nobody is asked who cannot tell: not the sender, nobody of its identity, nobody of another arithmetic, nobody who leaves', () => {
  const { join, open, step } = played()
  join('a')
  join('a (2)', 'a')
  join('gpu', 'gpu', 'y')
  join('leaver')
  step({ type: 'draining', worker: 'leaver' })
  assert.deepEqual(open(right), [{ type: 'missed', id: 0 }])
})

test('one worker is asked for one check at a time', () => {
  const { join, open, answer } = played()
  join('a')
  join('b')
  assert.deepEqual(open(right), [{ type: 'ask', worker: 'b', id: 0 }])
  assert.deepEqual(open(right, { id: 1 }), [])
  assert.deepEqual(answer('b', right), [{ type: 'confirmed', id: 0, exact: true }, { type: 'ask', worker: 'b', id: 1 }])
})

test('where two differ, a third identity decides whether the sender lied or the one who was asked', () => {
  for (const [claim, second, liar] of [[wrong, right, 'a'], [right, wrong, 'b']] as const) {
    const { join, open, answer } = played()
    for (const worker of ['a', 'b', 'c']) join(worker)
    open(claim)
    assert.deepEqual(answer('b', second), [{ type: 'disputed', id: 0, between: ['a', 'b'] }, { type: 'ask', worker: 'c', id: 0 }])
    assert.deepEqual(answer('c', right), [{ type: 'lied', id: 0, liars: [liar], truth: right, witnesses: ['a', 'b', 'c'].filter((each) => each !== liar) }])
  }
})

test('with nobody left to decide, two who differ are undecided; a check that must be decided waits for who joins', () => {
  for (const mustDecide of [false, true]) {
    const { join, open, answer } = played()
    join('a')
    join('b')
    open(wrong, { mustDecide })
    const [dispute, next] = answer('b', right)
    assert.equal(dispute.type, 'disputed')
    assert.deepEqual(next, mustDecide ? { type: 'waiting', id: 0 } : { type: 'undecided', id: 0, between: ['a', 'b'] })
    assert.deepEqual(join('c'), mustDecide ? [{ type: 'ask', worker: 'c', id: 0 }] : [])
  }
})

test('who has no weights any more, or is lost, is followed by another', () => {
  const { join, open, answer, step } = played()
  for (const worker of ['a', 'b', 'c', 'd']) join(worker)
  open(right)
  assert.deepEqual(answer('b', 'gone'), [{ type: 'ask', worker: 'c', id: 0 }])
  assert.deepEqual(step({ type: 'lost', worker: 'c' }), [{ type: 'ask', worker: 'd', id: 0 }])
  assert.deepEqual(answer('d', right), [{ type: 'confirmed', id: 0, exact: true }])
})

test('a worker that does not answer, though it has no lanes to compute, is out', () => {
  const { join, open, step, clock } = played()
  join('a')
  join('b')
  open(right)
  const tick = (atLanes: ReadonlySet<string>): CheckAction[] => step({ type: 'tick', atLanes, laneMs: () => 100 })
  const waited = (atLanes: ReadonlySet<string>): CheckAction[] => {
    for (let ms = 0; ms < 60_000; ms += 100) {
      clock.now += 100
      const actions = tick(atLanes)
      if (actions.length > 0) return actions
    }
    return []
  }
  assert.deepEqual(waited(new Set(['b'])), [], 'its lanes come first, and are watched by another')
  const [evicted] = waited(nobody)
  assert.equal(evicted.type, 'evict')
  assert.match(evicted.type === 'evict' ? `${evicted.worker}: ${evicted.reason}` : '', /^b: it has not answered a check of 1 lanes for /)
})

test('not finite with the same bits is confirmed by two, with other bits by three, since two could lie so; a finite one who has nobody beside it lied', () => {
  for (const [answers, expected] of [
    [[notFinite('nan')], { type: 'confirmed', id: 0, exact: true }],
    [[notFinite('bb'), notFinite('cc')], { type: 'confirmed', id: 0, exact: false }],
    [[notFinite('bb'), right, right], { type: 'lied', id: 0, liars: ['a', 'b'], truth: right, witnesses: ['c', 'd'] }],
    [[right, notFinite('nan')], { type: 'lied', id: 0, liars: ['b'], truth: notFinite('nan'), witnesses: ['a', 'c'] }],
  ] as const) {
    const { join, open, answer } = played()
    for (const worker of ['a', 'b', 'c', 'd']) join(worker)
    open(notFinite('nan'), { mustDecide: true })
    const last = answers.map((opinion, index) => answer(['b', 'c', 'd'][index], opinion)).at(-1)
    assert.deepEqual(last?.[0], expected)
  }
})

test('without digests, two agree who both say finite or not finite', () => {
  const { join, open, answer } = played()
  for (const worker of ['a', 'b', 'c']) join(worker)
  open(notFinite())
  assert.equal(answer('b', { digests: [], notFinite: false })[0].type, 'disputed')
  assert.deepEqual(answer('c', { digests: [], notFinite: false }), [{ type: 'lied', id: 0, liars: ['a'], truth: { digests: [], notFinite: false }, witnesses: ['b', 'c'] }])
})
