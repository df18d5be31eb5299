import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { freshState, viewOfState, type OptimizerState } from '../../../../shared/optim/optimizer.ts'
import { defaultOptimizer, optimizerOf } from '../../../../shared/optim/optimizers.ts'
import { Model } from '../../../../shared/optim/stepped_weights.ts'
import { RangeReducer, type Receiver, type UnfinishedPartial } from '../../../../coordinator/exchange/range_reducer.ts'
import { cutRanges } from '../../../../coordinator/exchange/remote/ranges.ts'
import { MachineMemory } from '../../../../coordinator/members/machine_memory.ts'
import { outcomeOf, verdictOf, type RangeSums } from '../../../../coordinator/exchange/step_update.ts'
import type { Range } from '../../../../shared/vectors/chunks.ts'
import { ProtocolError } from '../../../../shared/kit/errors.ts'
import { layoutOf, layoutOfRange } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { KeyedRandom, permutation, Purpose } from '../../../../shared/random/philox.ts'
import { CHUNK_FLOATS, chunkRanges } from '../../../../shared/vectors/chunks.ts'
import { LaneTree } from '../../../../shared/lanes/lane_tree.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'
import type { GradientChunk, WeightsChunk } from '../../../../shared/wire/messages.ts'
import { CoordinatorMemory } from '../../../../worker/shared_memory.ts'
import { WeightsInbox } from '../../../../worker/weights_inbox.ts'
import { withoutSharedMemory } from '../../../support/shared_memory.ts'

const LANES = 4
const CHUNK = 16
const SAMPLES = 8
/** A layout with running statistics, which are averaged and not stepped, and with parameters that range boundaries cut. */
const layout = layoutOf(networkSchema.parse({
  name: 'small', imageSize: 6, classes: 3, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'conv2d', filters: 5, kernel: 3 }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 3 }],
}))
const { size } = layout
const tree = new LaneTree(LANES)
const random = new KeyedRandom(5, Purpose.draw)
const vector = (): Float32Array => Float32Array.from({ length: size }, () => random.normal())
const optimizer = optimizerOf(defaultOptimizer)
const start = { ...freshState(optimizer, size), parameters: vector() }
const allLanes = Array.from({ length: LANES }, (_, lane) => lane)
const leaves = tree.nodes.filter(({ children }) => children === undefined)
/** Gradients by step and lane. */
const gradients = Array.from({ length: 3 }, () => leaves.map(() => vector()))
/** The second step is spoilt in one element, near the end of the vector. */
gradients[1][2][size - 20] = NaN

interface Worker extends Receiver {
  chunks: WeightsChunk[]
}

function workerWith(memory?: Receiver['memory']): Worker {
  const chunks: WeightsChunk[] = []
  return { chunks, backlogBytes: 0, sendWeights: (chunk) => chunks.push(chunk), evict: (reason) => assert.fail(reason), memory }
}

/** Shared memory as a worker and the process that reduces have it. */
function sharedMemory(t: TestContext) {
  const machine = MachineMemory.create(size) ?? assert.fail('this machine has no files in memory')
  const { gradients, places } = machine.offer('127.0.0.1:1') ?? assert.fail('not offered')
  const own = CoordinatorMemory.open(places) ?? assert.fail('not opened')
  t.after(() => {
    for (const each of [machine, gradients, own]) each.close()
  })
  return { board: machine.board, gradients, own }
}

function chunksOf(range: Range, step: number, leaf: number): GradientChunk[] {
  const { id: node, begin: lane } = leaves[leaf]
  const own = chunkRanges(size, CHUNK).filter(({ begin, end }) => begin >= range.begin && end <= range.end)
  return own.map(({ begin, end }, index) => ({
    session: '', round: 2 * step + 1, attempt: 0, node, offset: begin, data: Buffer.from(bytesOf(gradients[step][leaf].slice(begin, end))), began: 0,
    lanes: index === own.length - 1 ? [{ lane, lossSum: 1, correct: 1, samples: 2, seconds: 0, notFinite: false }] : [],
  }))
}

/** Consecutive ranges of so many chunks each. */
function rangesOf(chunks: readonly number[]): Range[] {
  let begin = 0
  return chunks.map((count) => {
    const range = { begin, end: Math.min(size, begin + count * CHUNK) }
    begin = range.end
    return range
  })
}

/**
 * Trains three steps with an owner for each range; the second is left out.
 * @param shared memory for the exchange; undefined to exchange bytes
 * @param clip norm to which gradients are clipped
 */
async function trained(ranges: readonly Range[], { shared, clip = null }: { shared?: ReturnType<typeof sharedMemory>; clip?: number | null } = {}) {
  const worker = workerWith(shared?.gradients)
  const inbox = new WeightsInbox(size, ranges)
  const whole: number[][] = ranges.map(() => [])
  const owners = ranges.map((range, index) => ({
    range,
    model: new Model(layoutOfRange(layout, range), optimizer, viewOfState(start, range)),
    onPartial: (node: number): void => void whole[index].push(node),
  }))
  const reducers = owners.map(({ range, model, onPartial }) => new RangeReducer<Worker>({ range, model, version: 0, tree, run: { seed: 0, compress: 'none', compressWeights: 'none', clip }, now: () => 0, chunkFloats: CHUNK, onPartial: (_, { node }) => onPartial(node), onUnfinished: () => undefined, onDeposit: () => undefined, ...(shared === undefined ? {} : { board: shared.board }) }))
  for (const reducer of reducers) reducer.join(worker)
  const outcomes = []
  const weights: (number[] | undefined)[] = []
  for (let step = 0; step < gradients.length; step++) {
    for (const reducer of reducers) {
      reducer.begin({ round: 2 * step + 1, samples: SAMPLES, update: step + 1, rate: 0.01, digestKey: '' })
      reducer.dealt(worker, 2 * step + 1, allLanes)
    }
    reducers.forEach((reducer, index) => {
      // Partial sums reach each range in an order of its own.
      for (const leaf of permutation(LANES, random)) {
        assert.equal(reducer.sums, undefined)
        for (const chunk of chunksOf(ranges[index], step, leaf)) reducer.receive(worker, shared === undefined ? chunk : { ...chunk, data: Buffer.alloc(0), shared: shared.own.putGradient(chunk.round, chunk.data) })
      }
    })
    const outcome = outcomeOf(layout, SAMPLES, reducers.map((reducer, index) => ({ begin: ranges[index].begin, sums: reducer.sums as RangeSums })))
    for (const reducer of reducers) reducer.settle(verdictOf(outcome, clip))
    outcomes.push(outcome.notFinite ?? outcome.gradientNorm)
    for (const { shared: place, ...chunk } of worker.chunks.splice(0)) {
      assert.equal(place !== undefined, shared !== undefined)
      inbox.receive(place === undefined || place === null || shared === undefined ? chunk : { ...chunk, data: shared.own.weights(chunk.version, place) })
    }
    weights.push([...(await inbox.take(step + 1)) ?? []])
  }
  assert.deepEqual(whole.map((nodes) => nodes.length), ranges.map(() => gradients.length * LANES))
  const bytes = (of: (state: Readonly<OptimizerState>) => Float32Array): string => Buffer.concat(reducers.map(({ state }) => bytesOf(of(state).slice()))).toString('hex')
  return { outcomes, weights, state: [bytes(({ parameters }) => parameters), ...optimizer.moments.map((_, index) => bytes(({ moments }) => moments[index]))] }
}

test('however the vector is cut, weights, moments, norms and the first place that is not finite are the same, and so is what a worker gets', async () => {
  const chunks = Math.ceil(size / CHUNK)
  const alone = await trained(rangesOf([chunks]))
  assert.equal(typeof alone.outcomes[0], 'number')
  assert.match(String(alone.outcomes[1]), /^dense_1/)
  assert.deepEqual(alone.weights[1], alone.weights[0], 'of a step that is left out, the weights stay')
  assert.notDeepEqual(alone.weights[2], alone.weights[1])
  for (const cut of [[1, chunks - 1], [chunks - 1, 1], [3, 4, chunks - 7], Array.from({ length: chunks }, () => 1)]) assert.deepEqual(await trained(rangesOf(cut)), alone)
})

test('clipped by the norm of the whole vector, they are the same however it is cut, and through memory', async (t) => {
  const chunks = Math.ceil(size / CHUNK)
  const [free, clipped] = [await trained(rangesOf([chunks])), await trained(rangesOf([chunks]), { clip: 0.5 })]
  assert.ok(Number(free.outcomes[0]) > 0.5)
  assert.notDeepEqual(clipped.state, free.state)
  assert.deepEqual(await trained(rangesOf([chunks]), { clip: 1000 }), free, 'below the limit')
  for (const cut of [[1, chunks - 1], [3, 4, chunks - 7], Array.from({ length: chunks }, () => 1)]) assert.deepEqual(await trained(rangesOf(cut), { clip: 0.5 }), clipped)
  if (withoutSharedMemory === false) assert.deepEqual(await trained(rangesOf([chunks]), { clip: 0.5, shared: sharedMemory(t) }), clipped)
})

test('who joins while a gradient waits for its norm gets the weights before, and then the new ones, whole', async () => {
  const range = { begin: 0, end: size }
  const reducer = new RangeReducer<Worker>({ range, model: new Model(layout, optimizer, start), version: 0, tree, run: { seed: 0, compress: 'none', compressWeights: 'none', clip: 0.5 }, now: () => 0, chunkFloats: CHUNK, onPartial: () => undefined, onUnfinished: () => undefined, onDeposit: () => undefined })
  const [early, late] = [workerWith(), workerWith()]
  reducer.join(early)
  reducer.begin({ round: 1, samples: SAMPLES, update: 1, rate: 0.01, digestKey: '' })
  reducer.dealt(early, 1, allLanes)
  for (const leaf of leaves.keys()) for (const chunk of chunksOf(range, 0, leaf)) reducer.receive(early, chunk)
  reducer.join(late)
  const versions = ({ chunks }: Worker): number[] => [...new Set(chunks.map(({ version }) => version))]
  assert.deepEqual([versions(early), versions(late)], [[0], [0]])
  reducer.settle({ leaveOut: false, scale: 0.5 })
  for (const worker of [early, late]) {
    assert.deepEqual(versions(worker), [0, 1])
    const inbox = new WeightsInbox(size, [range])
    for (const chunk of worker.chunks) inbox.receive(chunk)
    assert.deepEqual(await inbox.take(1), reducer.state.parameters)
  }
  assert.equal(early.chunks.length, 2 * Math.ceil(size / CHUNK), 'each chunk once a version')
})

test('through memory, weights, moments, norms and what a worker gets are the same as through messages', { skip: withoutSharedMemory }, async (t) => {
  const whole = rangesOf([Math.ceil(size / CHUNK)])
  assert.deepEqual(await trained(whole, { shared: sharedMemory(t) }), await trained(whole))
})

test('a gradient that is not where a worker says is refused', { skip: withoutSharedMemory }, (t) => {
  const { board, gradients } = sharedMemory(t)
  const worker = workerWith(gradients)
  const range = { begin: 0, end: size }
  const reducer = new RangeReducer<Worker>({ range, model: new Model(layout, optimizer, freshState(optimizer, size)), version: 0, tree, run: { seed: 0, compress: 'none', compressWeights: 'none', clip: null }, now: () => 0, chunkFloats: CHUNK, onPartial: () => undefined, onUnfinished: () => undefined, onDeposit: () => undefined, board })
  reducer.join(worker)
  reducer.begin({ round: 1, samples: SAMPLES, update: 1, rate: 0.01, digestKey: '' })
  reducer.dealt(worker, 1, allLanes)
  const [own] = chunksOf(range, 0, 0)
  assert.throws(() => reducer.receive(worker, { ...own, data: Buffer.alloc(0), shared: { at: 2 ** 40, length: own.data.length } }), new ProtocolError(`shared memory has no ${own.data.length} bytes at ${2 ** 40}`))
})

test('chunks that are not of the range, or do not follow each other, are refused', () => {
  const [first, second] = rangesOf([2, Math.ceil(size / CHUNK) - 2])
  const model = new Model(layoutOfRange(layout, second), optimizer, freshState(optimizer, second.end - second.begin))
  const opened = (): { reducer: RangeReducer<Worker>; worker: Worker } => {
    const reducer = new RangeReducer<Worker>({ range: second, model, version: 0, tree, run: { seed: 0, compress: 'none', compressWeights: 'none', clip: null }, now: () => 0, chunkFloats: CHUNK, onPartial: () => undefined, onUnfinished: () => undefined, onDeposit: () => undefined })
    const worker = workerWith()
    reducer.join(worker)
    reducer.begin({ round: 1, samples: SAMPLES, update: 1, rate: 0.01, digestKey: '' })
    reducer.dealt(worker, 1, allLanes)
    return { reducer, worker }
  }
  const [own] = chunksOf(second, 0, 0)
  const wrong: GradientChunk[] = [
    chunksOf(first, 0, 0)[0], { ...own, offset: own.offset + CHUNK }, { ...own, node: 99 }, { ...own, data: own.data.subarray(0, 7) }, { ...own, data: own.data.subarray(0, 8) },
    { ...own, data: Buffer.alloc(0), shared: { at: 2048, length: own.data.length } },
    { ...own, lanes: [{ lane: 3, lossSum: 0, correct: 0, samples: 0, seconds: 0, notFinite: false }] },
  ]
  for (const chunk of wrong) {
    const { reducer, worker } = opened()
    assert.throws(() => reducer.receive(worker, chunk), ProtocolError)
  }
  const { reducer } = opened()
  assert.throws(() => reducer.receive(workerWith(), own), /no member/)
})

/** A reducer of the whole vector in its first step, with the unfinished partials that it has told of. */
function opened(): { reducer: RangeReducer<Worker>; unfinished: UnfinishedPartial[]; whole: number[] } {
  const unfinished: UnfinishedPartial[] = []
  const whole: number[] = []
  const reducer = new RangeReducer<Worker>({
    range: { begin: 0, end: size }, model: new Model(layout, optimizer, freshState(optimizer, size)), version: 0, tree, run: { seed: 0, compress: 'none', compressWeights: 'none', clip: null }, now: () => 0, chunkFloats: CHUNK,
    onPartial: (_, { node }) => whole.push(node), onUnfinished: (_, partial) => unfinished.push(partial), onDeposit: () => undefined,
  })
  return { reducer, unfinished, whole }
}

test('a partial is taken only from a worker that was dealt every lane of it in this round', () => {
  const { reducer, whole } = opened()
  const [liar, honest] = [workerWith(), workerWith()]
  for (const worker of [liar, honest]) reducer.join(worker)
  reducer.begin({ round: 1, samples: SAMPLES, update: 1, rate: 0.01, digestKey: '' })
  reducer.dealt(honest, 1, [0, 1])
  reducer.dealt(liar, 1, [2, 3])
  const range = { begin: 0, end: size }
  const [huge] = chunksOf(range, 0, 0).map((chunk) => ({ ...chunk, node: 0, data: Buffer.from(bytesOf(new Float32Array(CHUNK).fill(1e15))) }))
  assert.throws(() => reducer.receive(liar, huge), new ProtocolError('a partial of lanes 0 to 3, of which it was not dealt all'))
  assert.throws(() => reducer.receive(liar, chunksOf(range, 0, 1)[0]), new ProtocolError('a partial of lane 1, of which it was not dealt all'))
  reducer.leave(liar)
  reducer.dealt(honest, 1, [2, 3])
  for (const leaf of [3, 0, 2, 1]) for (const chunk of chunksOf(range, 0, leaf)) reducer.receive(honest, chunk)
  assert.equal(whole.length, LANES)
  const calm = opened().reducer
  calm.join(honest)
  calm.begin({ round: 1, samples: SAMPLES, update: 1, rate: 0.01, digestKey: '' })
  calm.dealt(honest, 1, allLanes)
  for (const leaf of leaves.keys()) for (const chunk of chunksOf(range, 0, leaf)) calm.receive(honest, chunk)
  assert.deepEqual(reducer.sums?.squares, calm.sums?.squares, 'nothing of the lie is in the sum')
  reducer.settle({ leaveOut: false, scale: 1 })
  reducer.begin({ round: 3, samples: SAMPLES, update: 2, rate: 0.01, digestKey: '' })
  assert.throws(() => reducer.receive(honest, { ...chunksOf(range, 0, 0)[0], round: 3 }), /lane 0, of which it was not dealt all/, 'what was dealt in one round is not dealt in the next')
})

test('a worker that goes in the middle of a partial of the open step is told of, with what came of it', () => {
  const { reducer, unfinished } = opened()
  const [gone, late] = [workerWith(), workerWith()]
  for (const worker of [gone, late]) reducer.join(worker)
  reducer.begin({ round: 1, samples: SAMPLES, update: 1, rate: 0.01, digestKey: '' })
  for (const worker of [gone, late]) reducer.dealt(worker, 1, allLanes)
  const range = { begin: 0, end: size }
  for (const chunk of chunksOf(range, 0, 2).slice(0, 2)) reducer.receive(gone, chunk)
  reducer.leave(gone)
  assert.deepEqual(unfinished, [{ round: 1, node: leaves[2].id, floats: 2 * CHUNK }])
  reducer.leave(late)
  assert.equal(unfinished.length, 1, 'a worker that had sent nothing is not')
})

test('a partial of a round that is over may lack its end', () => {
  const { reducer, whole } = opened()
  const [slow, fast] = [workerWith(), workerWith()]
  for (const worker of [slow, fast]) reducer.join(worker)
  reducer.begin({ round: 1, samples: SAMPLES, update: 1, rate: 0.01, digestKey: '' })
  for (const worker of [slow, fast]) reducer.dealt(worker, 1, allLanes)
  const range = { begin: 0, end: size }
  reducer.receive(slow, chunksOf(range, 0, 0)[0])
  for (const leaf of leaves.keys()) for (const chunk of chunksOf(range, 0, leaf)) reducer.receive(fast, chunk)
  reducer.settle({ leaveOut: false, scale: 1 })
  reducer.begin({ round: 3, samples: SAMPLES, update: 2, rate: 0.01, digestKey: '' })
  reducer.dealt(slow, 3, allLanes)
  for (const chunk of chunksOf(range, 0, 1)) reducer.receive(slow, { ...chunk, round: 3 })
  assert.equal(whole.length, LANES + 1)
})

test('a vector is cut where chunks are, into parts that differ by one chunk at most', () => {
  const floats = 8 * CHUNK_FLOATS + 5
  for (const reducers of [1, 2, 4, 9]) {
    const ranges = cutRanges(floats, reducers)
    assert.equal(ranges.length, reducers)
    assert.deepEqual([ranges[0].begin, ranges[reducers - 1].end], [0, floats])
    ranges.slice(1).forEach(({ begin }, index) => assert.equal(begin, ranges[index].end))
    const chunks = ranges.map(({ begin, end }) => Math.ceil((end - begin) / CHUNK_FLOATS))
    assert.ok(Math.max(...chunks) - Math.min(...chunks) <= 1, chunks.join())
    for (const { begin } of ranges) assert.equal(begin % CHUNK_FLOATS, 0)
  }
  assert.throws(() => cutRanges(floats, 10), /--reducers 10: expected at most 9/)
})
