import assert from 'node:assert/strict'
import test from 'node:test'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { VirtualCluster, type VirtualWorker } from './virtual_cluster.ts'

const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** Mean time of a round once speeds are known. */
function steadyRound(workers: Record<string, VirtualWorker>, lanes = 8): number {
  const cluster = new VirtualCluster({ workersWanted: Object.keys(workers).length })
  for (const [name, worker] of Object.entries(workers)) cluster.join(name, worker)
  cluster.play(10, lanes)
  return mean(cluster.play(20, lanes))
}

test('a fast worker and one that is five times slower are at least 1.1 times as fast as the fast one alone', () => {
  for (const lanes of [8, 16, 24, 32]) {
    for (const deliveryMs of [0, 30]) {
      const fast = { laneMs: 500, deliveryMs }
      const gain = steadyRound({ fast }, lanes) / steadyRound({ fast, slow: { laneMs: 2500, deliveryMs } }, lanes)
      assert.ok(gain >= 1.1, `${lanes} lanes, delivery ${deliveryMs} ms: ${gain}`)
      assert.ok(gain <= 1.2, 'two workers with 1.2 times the speed of one cannot gain more')
    }
  }
})

test('a slow worker is a gain though its speed varies, its units take longer than it tells, and it delivers in one piece', () => {
  const fast = { laneMs: 35, deliveryMs: 10, inOnePiece: true }
  const alone = steadyRound({ fast }, 32)
  const random = new KeyedRandom(5, Purpose.draw)
  const cluster = new VirtualCluster({ workersWanted: 2 })
  cluster.join('fast', fast)
  cluster.join('slow', { laneMs: 175, untoldMs: 30, startMs: 30, deliveryMs: 40, inOnePiece: true })
  const vary = (): void => cluster.change('slow', { laneMs: 80 + random.below(191) })
  const rounds = Array.from({ length: 200 }, () => cluster.playChanging(32, vary, 60))
  const gain = alone / mean(rounds.slice(20))
  assert.ok(gain >= 1.1, String(gain))
})

test('a very slow worker costs the others no more than one lane', () => {
  const alone = steadyRound({ fast: { laneMs: 100 } })
  const together = steadyRound({ fast: { laneMs: 100 }, slow: { laneMs: 20_000 } })
  assert.ok(together <= alone + 150, `${together} against ${alone}`)
})

test('equal workers keep the same lanes from step to step, whatever the noise, and take nothing over', () => {
  const random = new KeyedRandom(9, Purpose.draw)
  const names = ['a', 'b', 'c']
  const cluster = new VirtualCluster({ workersWanted: 3 })
  for (const name of names) cluster.join(name, { laneMs: 100, deliveryMs: 5, startMs: 3 })
  for (let round = 0; round < 200; round++) {
    for (const name of names) cluster.change(name, { laneMs: 97 + random.below(7), deliveryMs: 3 + random.below(5) })
    // The last batch of an epoch is short, and its lanes take little time, which says nothing about the next ones.
    const isShort = round % 20 === 19
    if (isShort) for (const name of names) cluster.change(name, { laneMs: 10 })
    cluster.play(1, 8, isShort ? 8 : 64)
    assert.deepEqual(names.map((name) => cluster.shareOf(name)), [[0, 1, 2], [3, 4, 5], [6, 7]])
  }
  assert.equal(cluster.dealer.totals.lanesTakenOver, 0)
  assert.equal(cluster.count('release') + cluster.count('abandon') + cluster.count('drop'), 0)
})

test('a worker that hiccups once keeps its share; one that stays slow has less, and more again when it recovers', () => {
  const cluster = new VirtualCluster({ workersWanted: 2 })
  cluster.join('a', { laneMs: 100 })
  cluster.join('b', { laneMs: 100 })
  cluster.play(5)
  cluster.begin()
  cluster.wait(10)
  cluster.change('b', { laneMs: 1000 })
  cluster.wait(150)
  cluster.change('b', { laneMs: 100 })
  cluster.finish()
  cluster.play(1)
  assert.equal(cluster.shareOf('b').length, 4, 'one slow unit is no new speed')
  cluster.change('b', { laneMs: 700 })
  cluster.play(15)
  assert.equal(cluster.shareOf('b').length, 1)
  cluster.change('b', { laneMs: 100 })
  cluster.play(30)
  assert.equal(cluster.shareOf('b').length, 4)
})

test('a slow way to the coordinator is taken into account, and is not mistaken for slow computing', () => {
  const cluster = new VirtualCluster({ workersWanted: 2 })
  cluster.join('near', { laneMs: 100 })
  cluster.join('far', { laneMs: 100, startMs: 200, deliveryMs: 200 })
  cluster.play(15)
  assert.deepEqual([cluster.shareOf('near').length, cluster.shareOf('far').length], [6, 2])
  const short = mean(cluster.play(5))
  const large = mean(cluster.play(5, 32))
  assert.ok(short <= 650, String(short))
  assert.ok(large <= 1850, String(large))
})

test('blocks of the test set are measured apart from lanes', () => {
  const cluster = new VirtualCluster({ workersWanted: 2 })
  cluster.join('a', { laneMs: 100 })
  cluster.join('b', { laneMs: 300 })
  cluster.play(10)
  for (const worker of ['a', 'b']) for (let block = 0; block < 20; block++) cluster.dealer.step({ type: 'testing', worker, going: false, ms: 50, now: cluster.now })
  cluster.play(1)
  assert.equal(cluster.shareOf('b').length, 2)
  assert.deepEqual([cluster.dealer.blockMs('a'), cluster.dealer.viewOf('a').laneMs], [50, 100])
})

test('a worker that hangs costs a step little: its lanes are taken over long before it is evicted', () => {
  const cluster = new VirtualCluster({ workersWanted: 2 })
  cluster.join('a', { laneMs: 100 })
  cluster.join('b', { laneMs: 100 })
  cluster.play(5)
  cluster.change('b', { hung: true })
  const [first] = cluster.play(1)
  assert.ok(first <= 1000, `${first} ms, where one worker takes 800`)
  assert.deepEqual(cluster.dealer.workers, ['a', 'b'])
  cluster.play(100)
  assert.deepEqual(cluster.dealer.workers, ['a'], 'and then it is out')
  assert.equal(cluster.dealer.totals.workersLost, 1)
})

test('a cluster of one worker recovers by its deadline when the worker stops advancing', () => {
  const cluster = new VirtualCluster()
  cluster.join('a', { laneMs: 100 })
  cluster.play(3)
  cluster.change('a', { hung: true })
  cluster.begin()
  cluster.until(() => cluster.dealer.workers.length === 0)
  cluster.join('a again', { laneMs: 100 })
  cluster.finish()
  assert.equal(cluster.dealer.totals.lanesDealtAgain, 8)
})

test('in any run of slow, hanging, leaving, dying and joining workers every lane is counted exactly once and every round ends', () => {
  for (let seed = 0; seed < 150; seed++) {
    const random = new KeyedRandom(seed, Purpose.draw)
    const cluster = new VirtualCluster({ silenceLimitMs: 3000 })
    let number = 0
    const joinOne = (): void => cluster.join(`w${++number}`, { laneMs: 1 + random.below(400), deliveryMs: random.below(50), startMs: random.below(30) })
    const anyone = (): string | undefined => cluster.dealer.workers.at(random.below(Math.max(1, cluster.dealer.workers.length)))
    joinOne()
    for (let round = 0; round < 15; round++) {
      cluster.begin(1 + random.below(12), 64)
      for (let event = random.below(4); event > 0; event--) {
        cluster.wait(random.below(500))
        const name = anyone()
        const kind = random.below(6)
        if (name === undefined || kind === 0) joinOne()
        else if (kind === 1) cluster.lose(name)
        else if (kind === 2) cluster.drain(name)
        else if (kind === 3) cluster.change(name, { hung: true })
        else cluster.change(name, { laneMs: 1 + random.below(4000) })
      }
      joinOne()
      cluster.finish()
    }
    const { totals } = cluster.dealer
    assert.equal(totals.lanesDelivered, totals.lanesCounted + totals.lanesDropped, `seed ${seed}`)
  }
})
