import assert from 'node:assert/strict'
import test from 'node:test'
import { BlockDealer, type BlockAction, type BlockEvent } from '../../../../coordinator/dealing/block_dealer.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

const nobody: ReadonlySet<string> = new Set()

/** A dealer of blocks, with functions that step it, and that describe deals as "worker:block". */
function dealing(blocks: number): { dealer: BlockDealer; step: (event: BlockEvent) => BlockAction[]; deals: (actions: BlockAction[]) => string[] } {
  const dealer = new BlockDealer(blocks)
  return { dealer, step: (event) => dealer.step(event), deals: (actions) => actions.flatMap((action) => (action.type === 'deal' ? [`${action.worker}:${action.block}`] : [])) }
}

test('everybody has two blocks, and gets the next one for each that it delivers', () => {
  const { dealer, step, deals } = dealing(6)
  assert.deepEqual(deals(step({ type: 'joined', worker: 'a', now: 0 })), ['a:0', 'a:1'])
  assert.deepEqual(deals(step({ type: 'joined', worker: 'b', now: 0 })), ['b:2', 'b:3'])
  const delivered = step({ type: 'delivered', worker: 'b', block: 2, ms: 10, now: 10 })
  assert.deepEqual(delivered, [{ type: 'count', worker: 'b', block: 2 }, { type: 'deal', worker: 'b', block: 4, attempt: 0, takenOver: false }])
  assert.deepEqual(deals(step({ type: 'delivered', worker: 'b', block: 3, ms: 10, now: 20 })), ['b:5'])
  assert.deepEqual(deals(step({ type: 'delivered', worker: 'b', block: 4, ms: 10, now: 30 })), [])
  // Worker a may have begun block 0, but not block 1.
  const last = step({ type: 'delivered', worker: 'b', block: 5, ms: 10, now: 40 })
  assert.deepEqual(last.slice(1), [{ type: 'release', worker: 'a', block: 1 }, { type: 'deal', worker: 'b', block: 1, attempt: 1, takenOver: true }])
  assert.equal(dealer.done, 4)
})

test('what a worker is late with, who has nothing computes too; the first result counts, and the end is told to who still has a block', () => {
  const { dealer, step, deals } = dealing(3)
  step({ type: 'joined', worker: 'a', now: 0 })
  step({ type: 'joined', worker: 'b', now: 0 })
  step({ type: 'delivered', worker: 'b', block: 2, ms: 10, now: 10 })
  // The first block of a worker is not measured.
  step({ type: 'delivered', worker: 'b', block: 1, ms: 10, now: 20 })
  assert.deepEqual([dealer.owed('a'), dealer.owed('b'), dealer.done], [[0], [], 2])
  assert.deepEqual(deals(step({ type: 'tick', atLanes: nobody, now: 20 })), [])
  assert.deepEqual(deals(step({ type: 'tick', atLanes: new Set(['a']), now: 30 })), ['b:0'], 'whatever keeps it')
  assert.deepEqual(step({ type: 'delivered', worker: 'b', block: 0, ms: 10, now: 40 }), [{ type: 'count', worker: 'b', block: 0 }, { type: 'complete', busy: ['a'] }])
  assert.deepEqual(step({ type: 'delivered', worker: 'a', block: 0, ms: 10, now: 50 }), [], 'it is over')
  assert.deepEqual([dealer.done, dealer.owed('a')], [3, []])
})

test('the only block of a test set, whose holder hangs, is computed by another, though nothing was ever measured', () => {
  const { step, deals } = dealing(1)
  step({ type: 'joined', worker: 'a', now: 0 })
  step({ type: 'joined', worker: 'b', now: 0 })
  assert.deepEqual(deals(step({ type: 'tick', atLanes: nobody, now: 900 })), [])
  assert.deepEqual(deals(step({ type: 'tick', atLanes: nobody, now: 1100 })), ['b:0'])
})

test('blocks of who is lost are dealt again, and those that who leaves has not begun; what it has begun it finishes', () => {
  const { step } = dealing(4)
  step({ type: 'joined', worker: 'a', now: 0 })
  assert.deepEqual(step({ type: 'lost', worker: 'a', now: 1 }), [], 'nobody is there')
  assert.deepEqual(step({ type: 'joined', worker: 'b', now: 2 }), [0, 1].map((block) => ({ type: 'deal', worker: 'b', block, attempt: 1, takenOver: false })))
  step({ type: 'joined', worker: 'c', now: 2 })
  const left = step({ type: 'draining', worker: 'b', now: 3 })
  assert.deepEqual(left, [{ type: 'release', worker: 'b', block: 1 }])
  assert.deepEqual(step({ type: 'delivered', worker: 'b', block: 0, ms: 5, now: 4 }), [{ type: 'count', worker: 'b', block: 0 }])
  const [, next] = step({ type: 'delivered', worker: 'c', block: 2, ms: 5, now: 5 })
  assert.deepEqual(next, { type: 'deal', worker: 'c', block: 1, attempt: 1, takenOver: false }, 'nobody was lost with it since')
})

test('who has blocks, no lanes, and does not advance is evicted; neither who has lanes, nor for the time in which the coordinator hung', () => {
  const evicted = (actions: BlockAction[]): string[] => actions.flatMap((action) => (action.type === 'evict' ? [action.worker] : []))
  const { step } = dealing(20)
  step({ type: 'joined', worker: 'a', now: 0 })
  for (const [block, now] of [[0, 100], [1, 200]]) step({ type: 'delivered', worker: 'a', block, ms: 100, now })
  let now = 200
  const pass = (ms: number, atLanes = nobody): string[] => {
    const found: string[] = []
    for (const until = now + ms; now < until;) found.push(...evicted(step({ type: 'tick', atLanes, now: (now += 100) })))
    return found
  }
  assert.deepEqual(pass(20_000, new Set(['a'])), [])
  now += 60_000
  assert.deepEqual(pass(4500), [])
  assert.deepEqual(pass(1000), ['a'])
})

test('a worker that hangs at its first block is evicted by what earlier evaluations tell of it; where nothing is known, it is not', () => {
  const evictedAt = (usualMs: number | undefined): number | undefined => {
    const { step } = dealing(2)
    step({ type: 'joined', worker: 'a', usualMs, now: 0 })
    for (let now = 100; now < 60_000; now += 100) if (step({ type: 'tick', atLanes: nobody, now }).some(({ type }) => type === 'evict')) return now
    return undefined
  }
  assert.deepEqual([evictedAt(100), evictedAt(3000), evictedAt(undefined)], [5100, 12_100, undefined])
})

test('whoever joins, is lost or leaves, each block is counted exactly once', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new KeyedRandom(seed, Purpose.simulation, 9)
    const blocks = 1 + random.below(12)
    const { step } = dealing(blocks)
    const counted: number[] = []
    const work = new Map<string, number[]>()
    let complete = false
    let names = 0
    const play = (event: BlockEvent): void => {
      for (const action of step(event)) {
        assert.ok(!complete, 'nothing follows the end')
        if (action.type === 'deal') work.get(action.worker)?.push(action.block)
        if (action.type === 'release') work.set(action.worker, (work.get(action.worker) ?? []).filter((block) => block !== action.block || random.uniform() < 0.5))
        if (action.type === 'count') counted.push(action.block)
        if (action.type === 'complete') complete = true
      }
    }
    for (let now = 0; !complete; now += 10) {
      assert.ok(now < 100_000, `schedule ${seed} does not end`)
      const names_ = [...work.keys()]
      const kind = names_.length === 0 ? 0 : random.pick([0, 1, 2, 3, 3, 3, 3, 3, 4])
      if (kind === 0 && work.size < 5) {
        const worker = `w${++names}`
        work.set(worker, [])
        play({ type: 'joined', worker, now })
      } else if (kind === 1 && random.uniform() < 0.3) {
        const worker = random.pick(names_)
        work.delete(worker)
        play({ type: 'lost', worker, now })
      } else if (kind === 2 && random.uniform() < 0.2) {
        play({ type: 'draining', worker: random.pick(names_), now })
      } else if (kind === 3) {
        const worker = random.pick(names_)
        const block = work.get(worker)?.shift()
        if (block !== undefined) play({ type: 'delivered', worker, block, ms: random.between(1, 50), now })
      } else play({ type: 'tick', atLanes: nobody, now })
    }
    assert.deepEqual([...counted].sort((a, b) => a - b), Array.from({ length: blocks }, (_, block) => block))
  }
})
