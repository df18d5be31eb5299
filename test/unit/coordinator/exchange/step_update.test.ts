import assert from 'node:assert/strict'
import test from 'node:test'
import { StepUpdate, type StepOutcome } from '../../../../coordinator/exchange/step_update.ts'
import { LaneTree } from '../../../../shared/lanes/lane_tree.ts'
import { isStatistic, layoutOf } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { freshState } from '../../../../shared/optim/optimizer.ts'
import { optimizerOf, optimizerSchema, type OptimizerOptions } from '../../../../shared/optim/optimizers.ts'
import { Model } from '../../../../shared/optim/stepped_weights.ts'
import { KeyedRandom, permutation, Purpose } from '../../../../shared/random/philox.ts'

const CHUNK = 4
const SAMPLES = 3
const RATE = 0.05
const tree = new LaneTree(4)
const leaves = tree.nodes.filter((node) => node.children === undefined)

/** A layout with running statistics, which are neither stepped nor clipped. */
const layout = layoutOf(networkSchema.parse({
  name: 'small', imageSize: 2, classes: 2, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'conv2d', filters: 2, kernel: 1 }, { type: 'batchNorm' }, { type: 'flatten' }, { type: 'dense', units: 2 }],
}))
const { size } = layout
const chunks = Array.from({ length: Math.ceil(size / CHUNK) }, (_, chunk) => chunk * CHUNK)
const inOrder = Array.from({ length: leaves.length * chunks.length }, (_, place) => place)
const random = new KeyedRandom(5, Purpose.draw)
const vector = (): Float32Array => Float32Array.from({ length: size }, () => random.normal())
const start = vector()

interface Reduced {
  steps: StepUpdate
  model: Model
  /** Offsets of the chunks of weights that were broadcast. */
  sent: number[]
}

const adam: OptimizerOptions = optimizerSchema.parse({ name: 'adam' })

/** Reduces the lanes' gradients, chunk by chunk, in this order. */
function reduced(lanes: readonly Float32Array[], order: Iterable<number>, clip: number | null = null, options: OptimizerOptions = adam): Reduced {
  const sent: number[] = []
  const optimizer = optimizerOf(options)
  const model = new Model(layout, optimizer, { ...freshState(optimizer, size), parameters: start })
  const steps = new StepUpdate({ model, tree, step: 0, samples: SAMPLES, update: 1, rate: RATE, clip, now: () => 0, round: () => undefined, chunkFloats: CHUNK, broadcast: ({ begin }) => sent.push(begin) })
  for (const place of order) {
    const leaf = leaves[place % leaves.length]
    const begin = chunks[Math.floor(place / leaves.length)]
    steps.add(leaf.id, begin, lanes[leaf.begin].slice(begin, begin + CHUNK))
  }
  return { steps, model, sent }
}

const ones = (): Float32Array[] => Array.from({ length: 4 }, () => new Float32Array(size).fill(1))

test('from the first sum that is not finite on, none goes on to the optimizer', () => {
  assert.deepEqual(reduced(ones(), inOrder).sent, chunks)
  const lanes = ones()
  lanes[2][9] = NaN
  const { steps, sent } = reduced(lanes, inOrder)
  assert.deepEqual(sent, [0, 4])
  assert.equal(steps.sums.notFinite, 9)
})

test('whether, and where first, the sum is not finite does not depend on the order in which chunks come', () => {
  const lanes = ones()
  lanes[1][17] = Infinity
  lanes[3][6] = -Infinity
  lanes[0][7] = NaN
  for (let trial = 0; trial < 200; trial++) {
    const { steps, sent } = reduced(lanes, permutation(inOrder.length, random))
    assert.equal(steps.sums.notFinite, 6)
    assert.ok(!sent.includes(4) && !sent.includes(16))
  }
})

test('finite lanes whose sum overflows are found too', () => {
  const lanes = ones()
  lanes[0][13] = lanes[3][13] = 3e38
  assert.equal(reduced(lanes, inOrder).steps.sums.notFinite, 13)
})

/** Ends a step, and returns its result. */
function finished(reduce: Reduced): { outcome: StepOutcome; state: Model['state']; sent: number[] } {
  return { outcome: reduce.steps.finish(), state: reduce.model.state, sent: reduce.sent }
}

test('a step that waits for the norm has the bits of one that does not, where the norm is below the limit', () => {
  for (const options of [adam, optimizerSchema.parse({ name: 'sgd' })]) {
    const lanes = Array.from({ length: 4 }, vector)
    const streamed = finished(reduced(lanes, inOrder, null, options))
    assert.deepEqual(finished(reduced(lanes, inOrder, 1e6, options)), streamed)
    assert.notDeepEqual(streamed.state.parameters, start)
  }
})

test('nothing is stepped, nor goes out, before the norm is known; a step that is left out never is', () => {
  const lanes = Array.from({ length: 4 }, vector)
  const { steps, model, sent } = reduced(lanes, inOrder, 1)
  assert.ok(steps.complete)
  assert.deepEqual([sent, [...model.parameters]], [[], [...start]])
  lanes[3][12] = NaN
  const spoilt = finished(reduced(lanes, inOrder, 1))
  assert.equal(spoilt.outcome.notFinite, layout.parameters.find(({ offset, size: length }) => offset <= 12 && 12 < offset + length)?.name)
  assert.deepEqual([spoilt.sent, [...spoilt.state.parameters]], [[], [...start]])
})

test("a gradient above the limit is clipped as by PyTorch's clip_grad_norm_, whatever the order of chunks; running statistics are not", () => {
  const lanes = Array.from({ length: 4 }, vector)
  const clip = 0.25
  const options = optimizerSchema.parse({ name: 'sgd', momentum: 0 })
  const { outcome, state, sent } = finished(reduced(lanes, inOrder, clip, options))
  assert.deepEqual(sent, chunks)
  const mean = Array.from({ length: size }, (_, i) => lanes.reduce((sum, lane) => sum + lane[i], 0) / SAMPLES)
  const stepped = layout.parameters.filter((parameter) => !isStatistic(parameter)).flatMap(({ offset, size: length }) => Array.from({ length }, (_, i) => offset + i))
  const norm = Math.sqrt(stepped.reduce((sum, i) => sum + mean[i] ** 2, 0))
  assert.ok(norm > clip)
  assert.ok(Math.abs(outcome.gradientNorm - norm) < 1e-6 * norm, 'what is told is the norm before it is clipped')
  for (const i of stepped) assert.ok(Math.abs(state.parameters[i] - (start[i] - (RATE * mean[i] * clip) / (norm + 1e-6))) < 1e-6, String(i))
  const unclipped = finished(reduced(lanes, inOrder, null, options)).state
  for (const { offset, size: length } of layout.parameters.filter(isStatistic)) assert.deepEqual(state.parameters.subarray(offset, offset + length), unclipped.parameters.subarray(offset, offset + length))
  for (let trial = 0; trial < 20; trial++) assert.deepEqual(finished(reduced(lanes, permutation(inOrder.length, random), clip, options)).state, state)
})
