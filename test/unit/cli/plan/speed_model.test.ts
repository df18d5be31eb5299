import assert from 'node:assert/strict'
import test from 'node:test'
import { dealLanes } from '../../../../cli/plan/dealt_lanes.ts'
import { predict, STAGES, type Cluster } from '../../../../cli/plan/speed_model.ts'
import { cluster, costs } from './costs_of_round_figures.ts'

const about = (value: number, expected: number): void => assert.ok(Math.abs(value / expected - 1) < 1e-9, `${value}, expected ${expected}`)
const gigabit = 1e9 / 8
const network = (bytes: number, latency = 0): Cluster['network'] => ({ worker: bytes, coordinator: bytes, latency })
const free = { ...costs, coordinator: { ...costs.coordinator, thread: { step: 0, peer: 0, byte: 0, partialByte: 0, peerByte: 0 } }, worker: { ...costs.worker, thread: { step: 0, peer: 0, byte: 0, partialByte: 0, peerByte: 0 } } }

test('with a network and processes that take no time, a step is its compute, and efficiency is that of what is paid once a step', () => {
  const { step, compute, exchange, bound, efficiency, imagesPerSecond, stepsPerSecond } = predict(free, cluster)
  about(compute, 0.02 + 2 * 0.01 + 16 * 0.1)
  assert.equal(exchange, 0)
  assert.equal(step, compute)
  assert.equal(bound, 'compute')
  about(imagesPerSecond, 64 / step)
  about(stepsPerSecond, 1 / step)
  about(efficiency, (0.02 + 8 * 0.01 + 64 * 0.1) / (4 * step))
})

test('one worker is its own measure', () => {
  assert.equal(predict(costs, { ...cluster, workers: 1 }).efficiency, 1)
})

test('lanes are whole: three workers have 3, 3 and 2 of eight, and are no faster than the busiest of them', () => {
  const three = predict(free, { ...cluster, workers: 3 })
  assert.equal(three.busiestLanes, 3)
  about(three.compute, 0.02 + 3 * 0.01 + 24 * 0.1)
  for (const workers of [4, 5, 6, 7]) about(predict(free, { ...cluster, workers }).compute, 0.02 + 2 * 0.01 + 16 * 0.1)
  about(predict(free, { ...cluster, workers: 8 }).compute, 0.02 + 0.01 + 8 * 0.1)
})

test('workers beyond the lanes compute nothing, and cost the broadcast to them', () => {
  const [eight, sixteen] = [8, 16].map((workers) => predict(costs, { ...cluster, workers }))
  assert.equal(sixteen.compute, eight.compute)
  assert.equal(sixteen.stages["the coordinator's link, in"], eight.stages["the coordinator's link, in"])
  assert.ok(sixteen.step > eight.step)
})

test('images of a lane are those of the run: 10 in 4 lanes are 2, 3, 2 and 3, and the partials those of its tree', () => {
  assert.deepEqual(dealLanes(10, 4, 2), [{ images: [2, 3], partialsAfter: [2] }, { images: [2, 3], partialsAfter: [2] }])
  assert.deepEqual(dealLanes(8, 8, 3).map(({ partialsAfter }) => partialsAfter), [[2, 3], [1, 3], [2]])
  assert.equal(dealLanes(8, 4, 9).length, 4)
})

test('on a slow network the coordinator\'s link bounds: all workers\' bytes over it, and a chunk more of each other link', () => {
  const four = predict(free, { ...cluster, network: network(gigabit) })
  const vector = (16 * 1024 * 1024) / (gigabit * 0.94)
  assert.equal(four.longestStage, "the coordinator's link, in")
  about(four.exchange, 4 * vector + (4 * vector + 2 * vector) / 16)
  // A coordinator's link that is as fast as those of all workers together does not limit them.
  const wide = predict(free, { ...cluster, network: { worker: gigabit, coordinator: 4 * gigabit, latency: 0 } })
  about(wide.exchange, vector + (3 * vector) / 16)
})

test('latency is paid once there and once back, and a window caps what a stream carries', () => {
  const near = predict(free, { ...cluster, network: network(1e12) })
  const far = predict(free, { ...cluster, network: network(1e12, 0.05) })
  about(far.latency, 0.1)
  about(far.stages["the worker's link, up"], 0.1)
  assert.ok(near.stages["the worker's link, up"] < 1e-4)
})

test('compression shrinks what links carry and no work; reducers divide the vector and the links', () => {
  const slow = { ...cluster, network: network(gigabit) }
  const [plain, int8, divided] = [slow, { ...slow, shrink: { up: 1 / 4, down: 1 / 4 } }, { ...slow, reducers: 2 }].map((one) => predict(costs, one).stages)
  for (const stage of STAGES.filter((name) => name.includes('link'))) about(int8[stage], plain[stage] / 4)
  assert.equal(int8["the coordinator's thread"], plain["the coordinator's thread"])
  about(divided["the coordinator's link, in"], plain["the coordinator's link, in"] / 2)
  about(divided["the coordinator's thread"] - 0.001, (plain["the coordinator's thread"] - 0.001) / 2)
  assert.equal(divided["the worker's link, up"], plain["the worker's link, up"])
})

test('a faster network, fewer bytes, a nearer coordinator or more reducers never make a step longer', () => {
  for (const workers of [1, 3, 8, 20]) {
    const steps = (changes: Partial<Cluster>[]): number[] => changes.map((change) => predict(costs, { ...cluster, workers, network: network(gigabit), ...change }).step)
    for (const falling of [
      steps([1e7, 1e8, 1e9, 1e10].map((bytes) => ({ network: network(bytes) }))),
      steps([0.1, 0.01, 0].map((latency) => ({ network: network(gigabit, latency) }))),
      steps([1, 1 / 2, 1 / 4].map((share) => ({ shrink: { up: share, down: share } }))),
      steps([1, 2, 4].map((reducers) => ({ reducers }))),
    ]) assert.deepEqual(falling, falling.toSorted((a, b) => b - a))
  }
})

test('on shared cores workers take turns, cores that are all busy are slower, and no step is shorter than the work over the cores', () => {
  const two = predict(free, { ...cluster, workers: 2, sharedCores: 2 })
  about(two.compute, 1.2 * (0.02 + 4 * 0.01 + 32 * 0.1))
  const four = predict(free, { ...cluster, sharedCores: 2 })
  about(four.compute, 2 * 1.2 * (0.02 + 2 * 0.01 + 16 * 0.1))
  assert.ok(four.exchange >= four.stages['the cores'])
})

test('a worker whose speed is given has it; one that is faster than its images come waits for them', () => {
  const gpu = { ...cluster, imagesPerSecond: 100_000 }
  const { compute, input, bound } = predict(free, gpu)
  about(compute, 0.02 + 16 / 100_000)
  assert.equal(input, 0)
  const large = predict(free, { ...gpu, pixels: 1e6 })
  about(large.compute + large.input, 16 * 1e6 * 1e-8)
  assert.deepEqual([bound, large.bound], ['compute', 'input'])
})

test('a partial that is complete early leaves while others are computed; only what does not fit before the last one waits', () => {
  // Three workers have eight lanes, and two of them send two partial sums each.
  const slow = { ...cluster, workers: 3, network: network(1e6) }
  const quick = { ...slow, imagesPerSecond: 1e9 }
  const extra = (one: Cluster): number => predict(free, one).exchange - predict(free, { ...one, lanes: 4, batch: 4, workers: 3 }).exchange
  assert.ok(extra(quick) > 0)
  assert.ok(predict(free, slow).exchange < predict(free, quick).exchange)
})
