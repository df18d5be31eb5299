import assert from 'node:assert/strict'
import test from 'node:test'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { LaneTree } from '../../../../shared/lanes/lane_tree.ts'
import { LaneWalk, type WalkStep } from '../../../../shared/lanes/lane_walk.ts'

/** Follows a walk as a stack machine would; `between` may leave lanes out. @returns the partial sums that are taken, as ranges of lanes */
function follow(tree: LaneTree, walk: LaneWalk, between: (step: WalkStep) => void = () => undefined): { begin: number; end: number }[] {
  const stack: { begin: number; end: number }[] = []
  const taken: { begin: number; end: number }[] = []
  for (let step = walk.next(); step !== undefined; step = walk.next()) {
    if (step.type === 'push') {
      stack.push({ begin: step.lane, end: step.lane + 1 })
    } else if (step.type === 'add') {
      const [left, right] = stack.splice(-2)
      assert.equal(left.end, right.begin, 'only neighbours are added')
      stack.push({ begin: left.begin, end: right.end })
    } else {
      const top = stack.pop()
      const { begin, end } = tree.nodes[step.node]
      assert.deepEqual(top, { begin, end }, 'what is taken is the sum over the node that is named')
      taken.push({ begin, end })
    }
    between(step)
  }
  assert.equal(stack.length, 0, 'nothing stays behind')
  return taken
}

const describe = (ranges: { begin: number; end: number }[]): string => ranges.map(({ begin, end }) => `${begin}-${end}`).join(' ')

test('a walk gives the fewest partials: the largest complete subtrees', () => {
  const tree = new LaneTree(8)
  const walk = (...lanes: number[]): string => describe(follow(tree, new LaneWalk(tree, lanes)))
  assert.equal(walk(0, 1, 2, 3, 4, 5, 6, 7), '0-8')
  assert.equal(walk(0, 1, 2, 3), '0-4')
  assert.equal(walk(2, 0, 1), '0-2 2-3')
  assert.equal(walk(3, 4, 5), '3-4 4-6')
  assert.equal(walk(1, 2), '1-2 2-3')
  assert.equal(walk(1, 2, 3, 4, 5, 6, 7), '1-2 2-4 4-8')
  assert.equal(walk(), '')
})

test('lanes that are left out on the way are not begun, and the sum so far comes out without them', () => {
  const tree = new LaneTree(8)
  const walk = new LaneWalk(tree, [4, 5, 6, 7])
  const begun: number[] = []
  const taken = follow(tree, walk, (step) => {
    if (step.type !== 'push') return
    begun.push(step.lane)
    if (step.lane === 5) walk.leaveOut([5, 7])
  })
  assert.deepEqual(begun, [4, 5, 6])
  assert.equal(describe(taken), '4-6 6-7')
})

test('whatever is left out, and when, each lane that is begun comes out exactly once, and all others not at all', () => {
  const random = new KeyedRandom(5, Purpose.draw)
  for (let trial = 0; trial < 2000; trial++) {
    const count = 1 + random.below(20)
    const tree = new LaneTree(count)
    const lanes = Array.from({ length: count }, (_, lane) => lane).filter(() => random.below(4) > 0)
    const walk = new LaneWalk(tree, lanes)
    const begun = new Set<number>()
    const left = new Set<number>()
    const taken = follow(tree, walk, (step) => {
      if (step.type === 'push') begun.add(step.lane)
      if (random.below(6) > 0) return
      const lane = random.below(count)
      walk.leaveOut([lane])
      if (!begun.has(lane)) left.add(lane)
    })
    const out = taken.flatMap(({ begin, end }) => Array.from({ length: end - begin }, (_, i) => begin + i))
    assert.deepEqual(out.sort((a, b) => a - b), [...begun].sort((a, b) => a - b))
    assert.deepEqual([...begun].sort((a, b) => a - b), lanes.filter((lane) => !left.has(lane)))
  }
})
