import assert from 'node:assert/strict'
import test from 'node:test'
import { adviceFor, curveOf, enoughWorkers, shrinkOf } from '../../../../cli/plan/advice.ts'
import { predict, type Cluster } from '../../../../cli/plan/speed_model.ts'
import { parseBandwidth, parseDuration } from '../../../../cli/plan/units.ts'
import { cluster, costs } from './costs_of_round_figures.ts'

const slow: Cluster = { ...cluster, network: { worker: 1e8, coordinator: 1e8, latency: 0 } }

test('enough workers are the fewest that no greater number beats by 5 %', () => {
  const enough = enoughWorkers(costs, slow)
  const speeds = curveOf(costs, slow, 32).map(({ prediction }) => prediction.imagesPerSecond)
  assert.ok(speeds.every((speed) => speed < 1.05 * speeds[enough - 1] + 1e-9))
  assert.ok(enough === 1 || speeds.some((speed) => speed > 1.05 * speeds[enough - 2]))
  // Every lane is worth a worker if nothing but compute takes time.
  assert.equal(enoughWorkers({ ...costs, compute: { ...costs.compute, image: 100 } }, cluster), 8)
})

test('advice is what the model predicts of the changed cluster, the best first, and only what is worth saying', () => {
  const advice = adviceFor(costs, slow)
  assert.ok(advice.length > 0)
  const now = predict(costs, slow).imagesPerSecond
  for (const { gain, imagesPerSecond } of advice) {
    assert.ok(gain >= 1.1)
    assert.ok(Math.abs(imagesPerSecond / now - gain) < 1e-9)
  }
  assert.deepEqual(advice.map(({ gain }) => gain), advice.map(({ gain }) => gain).toSorted((a, b) => b - a))
  const int8 = advice.find(({ what }) => what.startsWith('--compress int8'))
  assert.equal(int8?.imagesPerSecond, predict(costs, { ...slow, shrink: { up: shrinkOf('int8'), down: shrinkOf('int8') } }).imagesPerSecond)
})

test('advice proposes nothing that cannot be: no more lanes than images, no compression that is there already, no reducers on shared cores', () => {
  const whats = (one: Cluster): string => adviceFor(costs, one).map(({ what }) => what).join('\n')
  assert.doesNotMatch(whats({ ...slow, shrink: { up: shrinkOf('int8'), down: shrinkOf('int8') } }), /--compress/)
  assert.doesNotMatch(whats({ ...slow, sharedCores: 2 }), /--reducers/)
  assert.match(whats({ ...cluster, workers: 5 }), /--lanes 10, as many for each worker/)
  assert.doesNotMatch(whats({ ...cluster, workers: 5, batch: 8 }), /--lanes 10/)
})

test('bandwidths are read in bits and bytes, times with their unit', () => {
  const read: [string, number | undefined][] = [['25Gbit', 3.125e9], ['100Mbit/s', 1.25e7], ['10Gbps', 1.25e9], ['1.25GB', 1.25e9], ['3 GB/s', 3e9], ['800bit', 100], ['0Gbit', undefined], ['25', undefined], ['Gbit', undefined], ['-1Gbit', undefined], ['25gbit', undefined]]
  for (const [text, bytes] of read) assert.equal(parseBandwidth(text), bytes, text)
  for (const [text, seconds] of [['0.1ms', 1e-4], ['50us', 5e-5], ['2s', 2], ['0s', 0], ['1', undefined], ['1min', undefined]] as const) {
    const parsed = parseDuration(text)
    if (seconds === undefined) assert.equal(parsed, undefined, text)
    else assert.ok(parsed !== undefined && Math.abs(parsed - seconds) < 1e-12, text)
  }
})
