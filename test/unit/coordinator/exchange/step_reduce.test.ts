import assert from 'node:assert/strict'
import test from 'node:test'
import { StepReduce } from '../../../../coordinator/exchange/step_reduce.ts'
import { KeyedRandom, permutation, Purpose } from '../../../../shared/random/philox.ts'
import { LaneTree } from '../../../../shared/lanes/lane_tree.ts'

const CHUNK = 4
const SIZE = 18
const tree = new LaneTree(4)
const leaves = tree.nodes.filter((node) => node.children === undefined)
const chunks = Array.from({ length: Math.ceil(SIZE / CHUNK) }, (_, chunk) => chunk * CHUNK)

/** Reduces the lanes' gradients, chunk by chunk, in this order. */
function reduceOf(lanes: readonly Float32Array[], order: Iterable<number>): { reduce: StepReduce; sent: number[] } {
  const sent: number[] = []
  const reduce = new StepReduce(SIZE, tree, { onSum: ({ begin }) => sent.push(begin), chunkFloats: CHUNK })
  for (const place of order) {
    const leaf = leaves[place % leaves.length]
    const begin = chunks[Math.floor(place / leaves.length)]
    reduce.add(leaf.id, begin, lanes[leaf.begin].slice(begin, begin + CHUNK))
  }
  return { reduce, sent }
}

const ones = (): Float32Array[] => Array.from({ length: 4 }, () => new Float32Array(SIZE).fill(1))
const inOrder = Array.from({ length: leaves.length * chunks.length }, (_, place) => place)

test('from the first sum that is not finite on, none goes on to the optimizer', () => {
  assert.deepEqual(reduceOf(ones(), inOrder).sent, chunks)
  const lanes = ones()
  lanes[2][9] = NaN
  const { reduce, sent } = reduceOf(lanes, inOrder)
  assert.deepEqual(sent, [0, 4])
  assert.equal(reduce.notFinite, 9)
})

test('whether, and where first, the sum is not finite does not depend on the order in which chunks come', () => {
  const random = new KeyedRandom(5, Purpose.draw)
  const lanes = ones()
  lanes[1][17] = Infinity
  lanes[3][6] = -Infinity
  lanes[0][7] = NaN
  for (let trial = 0; trial < 200; trial++) {
    const { reduce, sent } = reduceOf(lanes, permutation(inOrder.length, random))
    assert.equal(reduce.notFinite, 6)
    assert.ok(!sent.includes(4) && !sent.includes(16))
  }
})

test('finite lanes whose sum overflows are found too', () => {
  const lanes = ones()
  lanes[0][13] = lanes[3][13] = 3e38
  assert.equal(reduceOf(lanes, inOrder).reduce.notFinite, 13)
})
