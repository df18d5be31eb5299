import assert from 'node:assert/strict'
import test from 'node:test'
import { KeyedRandom, permutation, Purpose } from '../../../../shared/random/philox.ts'
import { ChunkSum } from '../../../../shared/lanes/chunk_sum.ts'
import { chunkRanges } from '../../../../shared/vectors/chunks.ts'
import { plainAddInto } from '../../../../shared/vectors/vectors.ts'
import { VectorPool } from '../../../../shared/vectors/vector_pool.ts'
import { laneRange, LaneTree } from '../../../../shared/lanes/lane_tree.ts'
import { LaneWalk } from '../../../../shared/lanes/lane_walk.ts'

/** The sum of a node by definition: a lane is itself, an inner node is the sum of its left child plus that of its right child. */
function plainSum(tree: LaneTree, id: number, lanes: Float32Array[]): Float32Array {
  const node = tree.nodes[id]
  if (node.children === undefined) return lanes[node.begin].slice()
  return plainAddInto(plainSum(tree, node.children[0], lanes), plainSum(tree, node.children[1], lanes))
}

/** Nodes of the partial sums that a worker with these lanes sends. */
function partialsOf(tree: LaneTree, lanes: readonly number[]): number[] {
  const walk = new LaneWalk(tree, lanes)
  const nodes: number[] = []
  for (let step = walk.next(); step !== undefined; step = walk.next()) if (step.type === 'take') nodes.push(step.node)
  return nodes
}

function randomLanes(count: number, random: KeyedRandom): Float32Array[] {
  return Array.from({ length: count }, () => Float32Array.from({ length: 5 }, () => random.normal() * 10 ** random.between(-6, 6)))
}

test('the tree covers each lane once, whatever their number', () => {
  for (let lanes = 1; lanes <= 33; lanes++) {
    const tree = new LaneTree(lanes)
    assert.equal(tree.nodes.length, 2 * lanes - 1)
    assert.deepEqual(partialsOf(tree, Array.from({ length: lanes }, (_, i) => i)), [0])
    const leaves = tree.nodes.filter((node) => node.children === undefined).map((node) => node.begin)
    assert.deepEqual(leaves.sort((a, b) => a - b), Array.from({ length: lanes }, (_, i) => i))
  }
})

test('lanes of a batch are contiguous, complete and even, for short batches too', () => {
  for (const count of [0, 1, 5, 8, 61, 64]) {
    const sizes = Array.from({ length: 8 }, (_, lane) => laneRange(count, 8, lane))
    assert.equal(sizes[0].begin, 0)
    assert.equal(sizes[7].end, count)
    for (let lane = 1; lane < 8; lane++) assert.equal(sizes[lane].begin, sizes[lane - 1].end)
    const lengths = sizes.map(({ begin, end }) => end - begin)
    assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1)
  }
})

test('the reduce gives the same bits for any cut into partials, any order, and any repetition', () => {
  const random = new KeyedRandom(11, Purpose.draw)
  for (let trial = 0; trial < 500; trial++) {
    const lanes = 1 + random.below(12)
    const tree = new LaneTree(lanes)
    const values = randomLanes(lanes, random)
    const expected = plainSum(tree, 0, values)

    // There are several overlapping attempts, each of which divides the lanes among some workers; all partial sums arrive shuffled.
    const partials: number[] = []
    for (let attempt = 0; attempt < 1 + random.below(3); attempt++) {
      const workers = 1 + random.below(4)
      const holder = Array.from({ length: lanes }, () => random.below(workers))
      for (let worker = 0; worker < workers; worker++) {
        const held = holder.flatMap((who, lane) => (who === worker ? [lane] : []))
        partials.push(...partialsOf(tree, held))
      }
    }
    // A vector that is freed is overwritten by the next partial sum, as in the coordinator.
    const pool = new VectorPool(expected.length, tree.nodes.length)
    let taken = 0
    const free = (freed: Float32Array): void => {
      taken--
      pool.giveBack(freed)
    }
    const sum = new ChunkSum(tree, { free })
    const results: Float32Array[] = []
    for (const place of permutation(partials.length, random)) {
      const partial = pool.take(expected.length)
      taken++
      partial.set(plainSum(tree, partials[place], values))
      const result = sum.add(partials[place], partial)
      if (result !== undefined) results.push(result.slice())
    }
    assert.equal(results.length, 1, 'the sum is complete once, and only once')
    assert.deepEqual(results[0], expected)
    assert.equal(taken, 1, 'all but the sum is free')
  }
})

test('the order of addition matters here, so equality above means something', () => {
  const lanes = randomLanes(8, new KeyedRandom(11, Purpose.draw))
  const inOrder = lanes.slice(1).reduce((sum, lane) => plainAddInto(sum, lane), lanes[0].slice())
  assert.notDeepEqual(plainSum(new LaneTree(8), 0, lanes), inOrder)
})

test('chunks cut a vector without holes', () => {
  assert.deepEqual(chunkRanges(10, 4), [{ begin: 0, end: 4 }, { begin: 4, end: 8 }, { begin: 8, end: 10 }])
  assert.deepEqual(chunkRanges(4, 4), [{ begin: 0, end: 4 }])
  assert.equal(chunkRanges(2230170).length, 9)
})
