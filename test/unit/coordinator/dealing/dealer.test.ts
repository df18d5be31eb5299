import assert from 'node:assert/strict'
import test from 'node:test'
import { Dealer, type DealerAction, type DealerEvent, type DealerOptions } from '../../../../coordinator/dealing/dealer.ts'

/** Describes an action in one line, so that a whole exchange reads as a trace. */
function describe(action: DealerAction): string {
  switch (action.type) {
    case 'deal':
      return `deal ${action.lanes.join(',')} to ${action.worker} (${action.reason}, attempt ${action.attempt})`
    case 'release':
      return `release ${action.lanes.join(',')} at ${action.worker}`
    case 'abandon':
      return `abandon ${action.round} at ${action.worker}`
    case 'count':
      return `count ${action.lanes.join(',')} of ${action.worker}`
    case 'drop':
      return `drop ${action.lanes} of ${action.worker}: ${action.reason}`
    case 'complete':
      return `complete ${action.round}`
    case 'evict':
      return `evict ${action.worker}: ${action.reason}`
    case 'dismiss':
      return `dismiss ${action.worker}`
    case 'gathered':
    case 'waiting':
      return action.type
    case 'goingOn':
      return `going on after ${action.waitedMs}`
    case 'gaveUp':
      return `gave up after ${action.waitedMs} with ${action.workers}`
  }
}

function play(dealer: Dealer, events: DealerEvent[]): string[] {
  return events.flatMap((event) => dealer.step(event)).map(describe)
}

function createDealer(options: Partial<DealerOptions> = {}): Dealer {
  return new Dealer({ workersWanted: 1, silenceLimitMs: 100_000, waitLimitMs: Number.POSITIVE_INFINITY, ...options })
}

const join = (worker: string, now = 0): DealerEvent => ({ type: 'joined', worker, now })
const lose = (worker: string, now = 0): DealerEvent => ({ type: 'lost', worker, now })
const begin = (id: number, lanes = 8, now = 0): DealerEvent => ({ type: 'begin', round: { id, lanes, samples: lanes * 8 }, now })
const compute = (worker: string, round: number, lane: number, ms: number, now: number): DealerEvent => ({ type: 'computed', worker, round, lane, ms, now })
const deliver = (worker: string, round: number, from: number, to: number, now = 0): DealerEvent => ({ type: 'delivered', worker, round, begin: from, end: to, now })
const drain = (worker: string, now = 0): DealerEvent => ({ type: 'draining', worker, now })
const tick = (now: number): DealerEvent => ({ type: 'tick', now })

/** A dealer with two workers, a and b, that have computed one round of 8 units at 1000 ms a unit; the next round, 2, begins at 4000. */
function warm(): Dealer {
  const dealer = createDealer({ workersWanted: 2 })
  play(dealer, [join('a'), join('b'), begin(1)])
  for (let unit = 0; unit < 4; unit++) {
    for (const [worker, first] of [['a', 0], ['b', 4]] as const) {
      const now = 1000 * (unit + 1)
      play(dealer, [compute(worker, 1, first + unit, 1000, now)])
    }
  }
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 4, 4000), deliver('b', 1, 4, 8, 4000)]), ['count 0,1,2,3 of a', 'count 4,5,6,7 of b', 'complete 1'])
  assert.deepEqual(play(dealer, [begin(2, 8, 4000)]), ['deal 0,1,2,3 to a (begin, attempt 0)', 'deal 4,5,6,7 to b (begin, attempt 0)'])
  return dealer
}

test('dealer waits for the workers it wants, then deals lanes evenly and contiguously', () => {
  const dealer = createDealer({ workersWanted: 2 })
  assert.deepEqual(play(dealer, [join('a')]), [])
  assert.deepEqual(play(dealer, [join('b')]), ['gathered'])
  assert.deepEqual(play(dealer, [begin(1)]), ['deal 0,1,2,3 to a (begin, attempt 0)', 'deal 4,5,6,7 to b (begin, attempt 0)'])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 4)]), ['count 0,1,2,3 of a'])
  assert.deepEqual(play(dealer, [deliver('b', 1, 4, 8)]), ['count 4,5,6,7 of b', 'complete 1'])
})

test("a worker's death deals only its unfinished lanes again", () => {
  const dealer = createDealer({ workersWanted: 3 })
  play(dealer, [join('a'), join('b'), join('c'), begin(1), deliver('c', 1, 6, 7)])
  assert.deepEqual(play(dealer, [lose('c')]), ['deal 7 to a (orphaned, attempt 1)'])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 3), lose('a')]), ['count 0,1,2 of a', 'deal 7 to b (orphaned, attempt 2)'])
  assert.deepEqual(play(dealer, [deliver('b', 1, 3, 6), deliver('b', 1, 7, 8)]), ['count 3,4,5 of b', 'count 7 of b', 'complete 1'])
  assert.deepEqual(dealer.totals, { lanesDelivered: 8, lanesCounted: 8, lanesDropped: 0, lanesDealtAgain: 2, lanesTakenOver: 0, workersLost: 2, mostWorkers: 3 })
})

test('lanes of the dead go to those who are free: who is expected to have them done first', () => {
  const dealer = warm()
  // Worker a has two lanes left; c comes, and takes one over from b, which has not advanced; then b dies with three.
  play(dealer, [compute('a', 2, 0, 1000, 5000), compute('a', 2, 1, 1000, 6000)])
  assert.deepEqual(play(dealer, [join('c', 6000)]), ['release 7 at b', 'deal 7 to c (takenOver, attempt 1)'])
  assert.deepEqual(play(dealer, [lose('b', 6000)]), ['deal 4,5 to c (orphaned, attempt 1)', 'deal 6 to a (orphaned, attempt 1)'])
})

test('results that come late, twice, or from one who is out are dropped', () => {
  const dealer = createDealer({ workersWanted: 2 })
  play(dealer, [join('a'), join('b'), begin(1), deliver('a', 1, 0, 4)])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 4)]), ['drop 4 of a: the lanes were counted before'])
  play(dealer, [lose('b')])
  assert.deepEqual(play(dealer, [deliver('b', 1, 4, 8)]), ['drop 4 of b: the worker is no longer in'])
  assert.deepEqual(play(dealer, [deliver('a', 1, 4, 8), begin(2), deliver('a', 1, 4, 8)]), [
    'count 4,5,6,7 of a', 'complete 1', 'deal 0,1,2,3,4,5,6,7 to a (begin, attempt 0)', 'drop 4 of a: the round is over',
  ])
  assert.equal(dealer.totals.lanesDropped, 12)
})

test('a partial that overlaps what is counted counts only the rest', () => {
  const dealer = createDealer()
  assert.deepEqual(play(dealer, [join('a'), begin(1, 4), deliver('a', 1, 0, 2), deliver('a', 1, 0, 4)]).slice(2), ['count 0,1 of a', 'count 2,3 of a', 'drop 2 of a: the lanes were counted before', 'complete 1'])
  assert.equal(dealer.totals.lanesDropped, 2)
})

test('a silent worker is evicted by the clock, and heartbeats keep it in', () => {
  const dealer = createDealer({ workersWanted: 2, silenceLimitMs: 1000 })
  play(dealer, [join('a', 0), join('b', 0), begin(1, 2)])
  assert.deepEqual(play(dealer, [{ type: 'heard', worker: 'a', now: 900 }, tick(1000)]), [])
  assert.deepEqual(play(dealer, [tick(1001)]), ['evict b: nothing was heard of it for 1.0 s', 'deal 1 to a (orphaned, attempt 1)'])
  assert.deepEqual(dealer.workers, ['a'])
})

test('with nobody left the round waits, says so once, and whoever joins gets the lanes', () => {
  const dealer = createDealer()
  play(dealer, [join('a'), begin(1, 4), deliver('a', 1, 0, 2)])
  assert.deepEqual(play(dealer, [lose('a', 100), tick(200), tick(300)]), ['waiting'])
  assert.equal(dealer.waiting, true)
  assert.deepEqual(play(dealer, [join('b', 700)]), ['deal 2,3 to b (orphaned, attempt 1)', 'going on after 600'])
  assert.equal(dealer.waiting, false)
})

test('waiting ends after the time that is allowed, at the start and in mid-run', () => {
  const start = createDealer({ workersWanted: 2, waitLimitMs: 1000 })
  assert.equal(start.waiting, true)
  assert.deepEqual(play(start, [tick(50), join('a', 900), tick(1049)]), [])
  assert.deepEqual(play(start, [tick(1050), tick(1150)]), ['gave up after 1000 with 1'])

  const middle = createDealer({ waitLimitMs: 1000 })
  play(middle, [tick(0), join('a', 900), begin(1, 4, 900), tick(5000)])
  assert.deepEqual(play(middle, [lose('a', 6000), tick(6999)]), ['waiting'])
  assert.deepEqual(play(middle, [tick(7000)]), ['gave up after 1000 with 0'])
})

test('a worker that joins in mid-round gets no lanes before the next round, unless a straggler needs help', () => {
  const dealer = createDealer()
  play(dealer, [join('a'), begin(1, 4)])
  assert.deepEqual(play(dealer, [join('b')]), [])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 4), begin(2, 4)]), ['count 0,1,2,3 of a', 'complete 1', 'deal 0,1 to a (begin, attempt 0)', 'deal 2,3 to b (begin, attempt 0)'])
})

test('who has nothing to do takes over the last lane of a straggler, which is told to leave it out', () => {
  const dealer = warm()
  for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  play(dealer, [compute('b', 2, 4, 3500, 7500)])
  assert.deepEqual(play(dealer, [deliver('a', 2, 0, 4, 8000)]), ['count 0,1,2,3 of a', 'release 7 at b', 'deal 7 to a (takenOver, attempt 1)'])
  play(dealer, [compute('a', 2, 7, 1000, 9000)])
  assert.deepEqual(play(dealer, [deliver('a', 2, 7, 8, 9000)]), ['count 7 of a', 'release 6 at b', 'deal 6 to a (takenOver, attempt 1)'])
  // Worker b computes lane 5, which cannot be taken back from it: the first result counts.
  assert.deepEqual(play(dealer, [compute('a', 2, 6, 1000, 10_000), deliver('a', 2, 6, 7, 10_000)]), ['count 6 of a'])
  assert.deepEqual(play(dealer, [tick(10_300)]), ['deal 5 to a (takenOver, attempt 1)'])
  assert.deepEqual(play(dealer, [compute('b', 2, 5, 3000, 10_500), deliver('b', 2, 4, 6, 10_500)]), ['count 4,5 of b', 'complete 2', 'abandon 2 at a'])
  assert.deepEqual(play(dealer, [compute('a', 2, 5, 1000, 11_000), deliver('a', 2, 5, 6, 11_000)]), ['drop 1 of a: the lanes were counted before'])
  assert.equal(dealer.totals.lanesTakenOver, 3)
  assert.equal(dealer.totals.lanesDealtAgain, 0)
})

test('a lane that was taken over and then lost with its new holder is dealt again, and only then', () => {
  const dealer = warm()
  for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  play(dealer, [compute('b', 2, 4, 3500, 7500), deliver('a', 2, 0, 4, 8000)])
  assert.deepEqual(play(dealer, [lose('a', 8500)]), ['deal 7 to b (orphaned, attempt 2)'])

  const copied = warm()
  for (let unit = 0; unit < 4; unit++) play(copied, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  for (let unit = 4; unit < 7; unit++) play(copied, [compute('b', 2, unit, 1000, 1000 + unit * 1000)])
  play(copied, [deliver('a', 2, 0, 4, 8000)])
  assert.deepEqual(play(copied, [tick(9300)]), ['deal 7 to a (takenOver, attempt 1)'], 'b is overdue with the lane that it is at')
  assert.deepEqual(play(copied, [lose('a', 9400)]), [], 'b has it still')
  assert.deepEqual(play(copied, [compute('b', 2, 7, 2500, 9500), deliver('b', 2, 4, 8, 9500)]), ['count 4,5,6,7 of b', 'complete 2'])
})

test('a worker that is at a block of the test set is expected to begin its lanes after it', () => {
  /** Plays until a ends its only lane, and b has not begun its own: it may be at a block of the test set, which takes it `ms`. */
  const atBlock = (ms: number): { dealer: Dealer; actions: string[] } => {
    const dealer = warm()
    for (const [worker, first] of [['a', 0], ['b', 4]] as const) {
      for (let unit = first; unit < first + 4; unit++) play(dealer, [compute(worker, 2, unit, 1000, 5000 + 1000 * (unit - first))])
    }
    play(dealer, [deliver('a', 2, 0, 4, 8000), deliver('b', 2, 4, 8, 8000)])
    // The first block is not measured.
    for (let block = 0; block < 2; block++) play(dealer, [{ type: 'testing', worker: 'b', going: true, ms, now: 8000 }])
    assert.deepEqual(play(dealer, [begin(3, 2, 8000)]), ['deal 0 to a (begin, attempt 0)', 'deal 1 to b (begin, attempt 0)'])
    return { dealer, actions: play(dealer, [compute('a', 3, 0, 1000, 9000), deliver('a', 3, 0, 1, 9000)]) }
  }
  assert.deepEqual(atBlock(3000).actions, ['count 0 of a', 'deal 1 to a (takenOver, attempt 1)'], 'a has it sooner')
  const short = atBlock(500)
  assert.deepEqual(short.actions, ['count 0 of a'])
  assert.deepEqual(play(short.dealer, [tick(10_400)]), [], 'b is not overdue')
})

test('equal workers that end a little apart leave each other alone', () => {
  const dealer = warm()
  for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  for (let unit = 4; unit < 7; unit++) play(dealer, [compute('b', 2, unit, 1005, 4000 + (unit - 3) * 1005)])
  assert.deepEqual(play(dealer, [deliver('a', 2, 0, 4, 8000), tick(8010)]), ['count 0,1,2,3 of a'])
  assert.deepEqual(play(dealer, [compute('b', 2, 7, 1005, 8020), tick(8030), deliver('b', 2, 4, 8, 8060)]), ['count 4,5,6,7 of b', 'complete 2'])
})

test('a partial that covers what others have counted releases what waits there in vain', () => {
  const dealer = warm()
  for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  play(dealer, [compute('b', 2, 4, 3500, 7500), deliver('a', 2, 0, 4, 8000)])
  // Worker b had begun lane 7 nevertheless, and sends all four lanes at once.
  assert.deepEqual(play(dealer, [deliver('b', 2, 4, 8, 8100)]), ['count 4,5,6,7 of b', 'complete 2', 'abandon 2 at a'])
})

test('a worker that does not advance for a few times its measured time is evicted, though it is heard', () => {
  const dealer = warm()
  const heard = (now: number): DealerEvent[] => [{ type: 'heard', worker: 'a', now }, { type: 'heard', worker: 'b', now }]
  for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  play(dealer, [deliver('a', 2, 0, 4, 8000)])
  const actions = play(dealer, [...heard(8900), tick(9000), ...heard(9001), tick(9001)])
  assert.ok(actions.includes('evict b: it has not advanced for 5.0 s; it is given 5.0 s'), actions.join('\n'))
  assert.deepEqual(dealer.workers, ['a'])
})

test('before a worker has been measured, it is given half an hour, unless it is silent', () => {
  const dealer = createDealer({ silenceLimitMs: 10_000 })
  play(dealer, [join('a'), begin(1, 4)])
  for (let now = 1000; now < 200_000; now += 1000) assert.deepEqual(play(dealer, [{ type: 'heard', worker: 'a', now }, tick(now)]), [])
  for (let now = 200_000; now < 209_000; now += 1000) assert.deepEqual(play(dealer, [tick(now)]), [])
  assert.deepEqual(play(dealer, [tick(209_001)]).slice(0, 1), ['evict a: nothing was heard of it for 10.0 s'])
  play(dealer, [join('b', 210_000)])
  for (let now = 211_000; now <= 2_010_000; now += 1000) assert.deepEqual(play(dealer, [{ type: 'heard', worker: 'b', now }, tick(now)]), [])
  assert.match(play(dealer, [{ type: 'heard', worker: 'b', now: 2_010_500 }, tick(2_010_500)])[0], /^evict b: it has not advanced for 1800\.5 s/)
})

test('a worker that only says that it computes, repeats itself, or tells of lanes that it does not have, has not advanced', () => {
  const dealer = warm()
  play(dealer, [compute('b', 2, 4, 1000, 5000), deliver('b', 2, 4, 5, 5100)])
  for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5100 + unit * 1000)])
  play(dealer, [deliver('a', 2, 0, 4, 8100)])
  const said: string[] = []
  for (let now = 8500; now < 14_000; now += 500) {
    said.push(...play(dealer, [compute('b', 2, 4, 1000, now), compute('b', 2, 0, 1000, now), compute('b', 1, 4, 1000, now), deliver('b', 2, 4, 5, now), tick(now)]))
  }
  assert.ok(said.includes('evict b: it has not advanced for 5.4 s; it is given 5.0 s'), said.join('\n'))
})

test('a worker that says how long its lanes take is believed no more than the clock, and stops nothing', () => {
  for (const ms of [1e306, Number.POSITIVE_INFINITY, Number.NaN, 1e9]) {
    const dealer = warm()
    for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5000 + unit * 1000), compute('b', 2, unit + 4, ms, 5000 + unit * 1000)])
    play(dealer, [deliver('a', 2, 0, 4, 8000), deliver('b', 2, 4, 8, 8000), begin(3, 8, 8000)])
    assert.ok((dealer.viewOf('b').laneMs ?? 0) <= 3000, `${ms}: ${dealer.viewOf('b').laneMs}`)
    // From here on b is silent about its work, but alive.
    const said: string[] = []
    for (let now = 8500; now < 40_000; now += 500) said.push(...play(dealer, [{ type: 'heard', worker: 'b', now }, { type: 'heard', worker: 'a', now }, tick(now)]))
    assert.ok(said.some((line) => line.startsWith('evict b: it has not advanced')), said.join('\n'))
  }
})

test('a coordinator that hung itself blames nobody for that time', () => {
  const dealer = warm()
  assert.deepEqual(play(dealer, [tick(4500), tick(60_000), tick(61_000), tick(62_000)]), [])
  assert.deepEqual(dealer.workers, ['a', 'b'])
  for (let now = 63_000; now < 64_500; now += 500) assert.deepEqual(play(dealer, [tick(now)]), [])
  assert.match(play(dealer, [tick(64_600)])[0], /^evict a: it has not advanced for 5.1 s/)
})

test('a worker that is still at a lane of an abandoned round is not helped along, and is evicted if it never ends it', () => {
  const dealer = warm()
  for (let unit = 0; unit < 4; unit++) play(dealer, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  play(dealer, [deliver('a', 2, 0, 4, 8000)])
  // Worker a computes everything; b has been stuck at its first lane since 4000.
  let now = 8000
  for (const unit of [7, 6, 5, 4]) play(dealer, [compute('a', 2, unit, 200, (now += 200)), deliver('a', 2, unit, unit + 1, now)])
  assert.deepEqual(play(dealer, [begin(3, 2, 8850)]), ['deal 0 to a (begin, attempt 0)', 'deal 1 to b (begin, attempt 0)'])
  assert.deepEqual(play(dealer, [compute('a', 3, 0, 100, 8950), deliver('a', 3, 0, 1, 8950)]), ['count 0 of a', 'deal 1 to a (takenOver, attempt 1)'])
  assert.equal(play(dealer, [tick(9001)])[0], 'evict b: it has not advanced for 5.0 s; it is given 5.0 s')
  // A worker that answers that it has ended the lane that it had begun has advanced.
  const other = warm()
  for (let unit = 0; unit < 4; unit++) play(other, [compute('a', 2, unit, 1000, 5000 + unit * 1000)])
  play(other, [deliver('a', 2, 0, 4, 8000), deliver('a', 2, 4, 8, 8500), { type: 'abandoned', worker: 'b', round: 2, now: 8900 }, begin(3, 2, 8950)])
  assert.deepEqual(play(other, [tick(9001), tick(13_900)]).filter((line) => line.includes('evict')), [])
})

test('a draining worker finishes what it has, gets nothing more, and is let go; that is no loss', () => {
  const dealer = warm()
  assert.deepEqual(play(dealer, [drain('b', 4100)]), [])
  assert.deepEqual(play(dealer, [deliver('b', 2, 4, 8, 8000)]), ['count 4,5,6,7 of b', 'dismiss b'])
  assert.deepEqual(play(dealer, [deliver('a', 2, 0, 4, 8000), begin(3, 8, 8000)]), ['count 0,1,2,3 of a', 'complete 2', 'deal 0,1,2,3,4,5,6,7 to a (begin, attempt 0)'])
  assert.deepEqual([dealer.totals.workersLost, dealer.totals.lanesDealtAgain], [0, 0])
})

test('a draining worker that owes nothing is let go at once, and nothing orphaned goes to one that drains', () => {
  const idle = createDealer()
  assert.deepEqual(play(idle, [join('a'), drain('a')]), ['gathered', 'dismiss a', 'waiting'])

  const dealer = createDealer({ workersWanted: 2 })
  play(dealer, [join('a'), join('b'), begin(1, 2), drain('a')])
  assert.deepEqual(play(dealer, [lose('b')]), [])
  assert.deepEqual(play(dealer, [deliver('a', 1, 0, 1)]), ['count 0 of a', 'dismiss a', 'waiting'])
  assert.deepEqual(play(dealer, [join('c')]).slice(0, 1), ['deal 1 to c (orphaned, attempt 1)'])
})

test('the same events give the same actions', () => {
  const trace = (): string[] => {
    const dealer = warm()
    return play(dealer, [compute('a', 2, 0, 900, 4900), lose('a', 5000), join('c', 5100), compute('b', 2, 4, 1000, 5200), deliver('b', 2, 4, 5, 5300), tick(20_000)])
  }
  assert.deepEqual(trace(), trace())
})

test('transitions that cannot be are refused', () => {
  const dealer = createDealer()
  play(dealer, [join('a'), begin(1)])
  assert.throws(() => dealer.step(join('a')), /joined twice/)
  assert.throws(() => dealer.step(begin(2)), /round 2 begins while round 1 is open/)
})
