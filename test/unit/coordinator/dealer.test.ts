import assert from 'node:assert/strict'
import test from 'node:test'
import { Dealer, type DealerAction, type DealerEvent } from '../../../coordinator/dealer.ts'

/** One line for each action, so that a whole exchange reads as a trace. */
function describe(action: DealerAction): string {
  switch (action.type) {
    case 'deal':
      return `deal ${action.units.join(',')} to ${action.worker} (attempt ${action.attempt})`
    case 'count':
      return `count ${action.units.join(',')} of ${action.worker}`
    case 'drop':
      return `drop ${action.units} of ${action.worker}: ${action.reason}`
    case 'complete':
      return `complete ${action.round}`
    case 'evict':
      return `evict ${action.worker} after ${action.silentMs}`
    case 'gathered':
      return 'gathered'
  }
}

function play(dealer: Dealer, events: DealerEvent[]): string[] {
  return events.flatMap((event) => dealer.step(event)).map(describe)
}

const join = (worker: string, now = 0): DealerEvent => ({ type: 'joined', worker, now })
const lose = (worker: string): DealerEvent => ({ type: 'lost', worker, reason: 'test', now: 0 })
const begin = (id: number, units = 8): DealerEvent => ({ type: 'begin', round: { id, units }, now: 0 })
const deliver = (worker: string, round: number, from: number, to: number): DealerEvent => ({ type: 'delivered', worker, round, begin: from, end: to, now: 0 })

test('dealer waits for the workers it wants, then deals lanes evenly and contiguously', () => {
  const dealer = new Dealer({ workersWanted: 2, silenceLimitMs: 1000 })
  assert.deepEqual(play(dealer, [join('a')]), [])
  assert.deepEqual(play(dealer, [join('b')]), ['gathered'])
  assert.deepEqual(play(dealer, [begin(1)]), ['deal 0,1,2,3 to a (attempt 0)', 'deal 4,5,6,7 to b (attempt 0)'])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 4)]), ['count 0,1,2,3 of a'])
  assert.deepEqual(play(dealer, [deliver('b', 1, 4, 8)]), ['count 4,5,6,7 of b', 'complete 1'])
})

test("a worker's death deals only its unfinished lanes again", () => {
  const dealer = new Dealer({ workersWanted: 3, silenceLimitMs: 1000 })
  play(dealer, [join('a'), join('b'), join('c'), begin(1), deliver('c', 1, 6, 7)])
  assert.deepEqual(play(dealer, [lose('c')]), ['deal 7 to a (attempt 1)'])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 3), lose('a')]), ['count 0,1,2 of a', 'deal 7 to b (attempt 2)'])
  assert.deepEqual(play(dealer, [deliver('b', 1, 3, 6), deliver('b', 1, 7, 8)]), ['count 3,4,5 of b', 'count 7 of b', 'complete 1'])
  assert.deepEqual(dealer.totals, { unitsDelivered: 8, unitsCounted: 8, unitsDealtAgain: 2, workersLost: 2, mostWorkers: 3 })
})

test('results that come late, twice, or from one who is out are dropped', () => {
  const dealer = new Dealer({ workersWanted: 2, silenceLimitMs: 1000 })
  play(dealer, [join('a'), join('b'), begin(1), deliver('a', 1, 0, 4)])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 4)]), ['drop 4 of a: the units were counted before'])
  play(dealer, [lose('b')])
  assert.deepEqual(play(dealer, [deliver('b', 1, 4, 8)]), ['drop 4 of b: the worker is no longer in'])
  assert.deepEqual(play(dealer, [deliver('a', 1, 4, 8), begin(2), deliver('a', 1, 4, 8)]), [
    'count 4,5,6,7 of a', 'complete 1', 'deal 0,1,2,3,4,5,6,7 to a (attempt 0)', 'drop 4 of a: the round is over',
  ])
})

test('a partial that overlaps what is counted counts only the rest', () => {
  const dealer = new Dealer({ workersWanted: 1, silenceLimitMs: 1000 })
  assert.deepEqual(play(dealer, [join('a'), begin(1, 4), deliver('a', 1, 0, 2), deliver('a', 1, 0, 4)]).slice(2), ['count 0,1 of a', 'count 2,3 of a', 'complete 1'])
})

test('a silent worker is evicted by the clock, and heartbeats keep it in', () => {
  const dealer = new Dealer({ workersWanted: 2, silenceLimitMs: 1000 })
  play(dealer, [join('a', 0), join('b', 0), begin(1, 2)])
  assert.deepEqual(play(dealer, [{ type: 'heard', worker: 'a', now: 900 }, { type: 'tick', now: 1000 }]), [])
  assert.deepEqual(play(dealer, [{ type: 'tick', now: 1001 }]), ['evict b after 1001', 'deal 1 to a (attempt 1)'])
  assert.deepEqual(dealer.workers, ['a'])
})

test('with nobody left the round waits, and whoever joins gets the lanes', () => {
  const dealer = new Dealer({ workersWanted: 1, silenceLimitMs: 1000 })
  play(dealer, [join('a'), begin(1, 4), deliver('a', 1, 0, 2)])
  assert.deepEqual(play(dealer, [lose('a')]), [])
  assert.deepEqual(play(dealer, [join('b')]), ['deal 2,3 to b (attempt 1)'])
})

test('a worker that joins in mid-round gets no lanes before the next round', () => {
  const dealer = new Dealer({ workersWanted: 1, silenceLimitMs: 1000 })
  play(dealer, [join('a'), begin(1, 4)])
  assert.deepEqual(play(dealer, [join('b')]), [])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 4), begin(2, 4)]), ['count 0,1,2,3 of a', 'complete 1', 'deal 0,1 to a (attempt 0)', 'deal 2,3 to b (attempt 0)'])
})

test('transitions that cannot be are refused', () => {
  const dealer = new Dealer({ workersWanted: 1, silenceLimitMs: 1000 })
  play(dealer, [join('a'), begin(1)])
  assert.throws(() => dealer.step(join('a')), /joined twice/)
  assert.throws(() => dealer.step(begin(2)), /round 2 begins while round 1 is open/)
})
