import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { fastestShares, GAIN_WORTH_A_CHANGE, runsOf, steadyShares, type Pace } from '../../../../coordinator/dealing/shares.ts'
import { ROOT } from '../../../../shared/kit/project.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

const paces = (...laneMs: number[]): Pace[] => laneMs.map((ms, index) => ({ worker: 'abcdefgh'[index], baseMs: 0, laneMs: ms }))
const numbers = (shares: ReadonlyMap<string, number>): number[] => [...shares.values()]

/** The earliest end over all ways to share units out. */
function bestEnd(all: Pace[], count: number, least: number): number {
  const [first, ...rest] = all
  if (rest.length === 0) return count < least ? Infinity : count === 0 ? 0 : first.baseMs + count * first.laneMs
  let best = Infinity
  for (let share = least; share <= count; share++) {
    best = Math.min(best, Math.max(share === 0 ? 0 : first.baseMs + share * first.laneMs, bestEnd(rest, count - share, least)))
  }
  return best
}

test('shares are in proportion to speed: no other shares end sooner', () => {
  assert.deepEqual(numbers(fastestShares(paces(1, 5), 8, true)), [7, 1])
  assert.deepEqual(numbers(fastestShares(paces(1, 2, 4), 14, true)), [8, 4, 2])
  const random = new KeyedRandom(3, Purpose.draw)
  for (let trial = 0; trial < 300; trial++) {
    const all = Array.from({ length: 1 + random.below(3) }, (_, index): Pace => ({ worker: 'abc'[index], baseMs: random.below(20), laneMs: 1 + random.below(20) }))
    const count = 1 + random.below(10)
    const atLeastOne = random.below(2) === 0
    const shares = fastestShares(all, count, atLeastOne)
    assert.equal(numbers(shares).reduce((a, b) => a + b), count)
    const end = Math.max(...all.map(({ worker, baseMs, laneMs }) => ((share) => (share === 0 ? 0 : baseMs + share * laneMs))(shares.get(worker) ?? 0)))
    assert.equal(end, bestEnd(all, count, atLeastOne && count >= all.length ? 1 : 0))
  }
})

test('everybody gets a unit while there are enough, so that nobody goes unmeasured; else the fastest do', () => {
  assert.deepEqual(numbers(fastestShares(paces(1, 1000), 8, true)), [7, 1])
  assert.deepEqual(numbers(fastestShares(paces(3, 1, 1.5), 2, true)), [0, 1, 1])
})

test('workers of about equal speed have equal shares, whatever the noise', () => {
  assert.deepEqual(numbers(steadyShares(paces(100, 102, 99), 8, undefined)), [3, 3, 2])
  assert.deepEqual(numbers(steadyShares(paces(100, 109), 8, undefined)), [4, 4])
})

test('shares stay as they are while they are about as good as the best, and change when they are not', () => {
  const before = new Map([['a', 3], ['b', 5]])
  assert.equal(steadyShares(paces(100, 62), 8, before), before)
  assert.equal(steadyShares(paces(100, 66), 8, before), before)
  assert.deepEqual(numbers(steadyShares(paces(100, 100), 8, before)), [4, 4])
  assert.deepEqual(numbers(steadyShares(paces(100, 20), 8, before)), [1, 7])
  assert.deepEqual(numbers(steadyShares(paces(100, 62, 62), 8, before)), [2, 3, 3], 'other workers')
  assert.deepEqual(numbers(steadyShares(paces(100, 62), 16, before)), [6, 10], 'another number of units')
})

test('what is lost by staying is at most what the page on clusters says', () => {
  const page = readFileSync(path.join(ROOT, 'docs/cluster.md'), 'utf8')
  const said = /Shares\s+stay as they are while a step is expected to take at most (\d+) % longer with them than with the best/.exec(page)
  assert.equal(Number(said?.[1]), Math.round((GAIN_WORTH_A_CHANGE - 1) * 100))
  const before = new Map([['a', 50], ['b', 50]])
  const slower = (percent: number): Pace[] => paces(1, 1 + percent / 100)
  const longer = (all: Pace[]): number => (50 * all[1].laneMs) / Math.max(...all.map(({ worker, laneMs }) => (fastestShares(all, 100, true).get(worker) ?? 0) * laneMs))
  for (let percent = 0; percent <= 20; percent++) {
    const stays = steadyShares(slower(percent), 100, before) === before
    assert.equal(stays, longer(slower(percent)) <= GAIN_WORTH_A_CHANGE, `${percent} %`)
  }
})

test('runs are contiguous, and the large ones come first, so that they are complete subtrees', () => {
  assert.deepEqual([...runsOf([0, 1, 2, 3, 4, 5, 6, 7], new Map([['a', 1], ['b', 4], ['c', 3]]))], [['b', [0, 1, 2, 3]], ['c', [4, 5, 6]], ['a', [7]]])
  assert.deepEqual([...runsOf([2, 5], new Map([['a', 1], ['b', 0], ['c', 1]]))], [['a', [2]], ['c', [5]]])
})
