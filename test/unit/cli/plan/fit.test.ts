import assert from 'node:assert/strict'
import test from 'node:test'
import { fitCosts, onLoopback, type ExchangeMeasurement } from '../../../../cli/plan/fit.ts'
import { dealLanes } from '../../../../cli/plan/dealt_lanes.ts'
import { leastSquares } from '../../../../cli/plan/least_squares.ts'
import { stillExchange, workSeconds } from '../../../../cli/plan/speed_model.ts'
import type { Work } from '../../../../cli/plan/costs.ts'
import { costs } from './costs_of_round_figures.ts'

const near = (value: number, expected: number, what: string, share = 1e-6): void => assert.ok(Math.abs(value - expected) <= share * Math.max(1e-12, Math.abs(expected)), `${what}: ${value}, expected ${expected}`)

test('least squares find the line through points that lie on one, also with columns of very different size', () => {
  const xs = [1e6, 2e6, 5e6, 9e6]
  const [offset, slope] = leastSquares(xs.map((x) => [1, x]), xs.map((x) => 0.25 + 3e-9 * x))
  near(offset, 0.25, 'offset')
  near(slope, 3e-9, 'slope')
})

test('relative differences count: of two measurements that contradict each other, the mean by share', () => {
  const [level] = leastSquares([[1], [1]], [1, 3])
  // The level c minimises (c - 1)² + (c/3 - 1)².
  near(level, (1 + 1 / 3) / (1 + 1 / 9), 'level')
})

test('a cost that would have to be negative is left out, and so is a column that others explain', () => {
  const [offset, slope] = leastSquares([[1, 1], [1, 2], [1, 3]], [0.5, 2.5, 4.5])
  assert.equal(offset, 0)
  assert.ok(slope > 0.5)
  const twice = leastSquares([[1, 2], [2, 4], [3, 6]], [2, 4, 6])
  near(twice[0] + 2 * twice[1], 2, 'their sum')
})

/** A measurement that agrees exactly with the model and its costs. */
function exchangeOf(workers: number, floats: number): ExchangeMeasurement {
  const lanes = 8
  const peers = workers
  const bytes = floats * 4
  const partials = dealLanes(lanes, lanes, workers).reduce((sum, { partialsAfter }) => sum + partialsAfter.length, 0)
  const allWorkers = (work: Work): number => workers * (work.step + work.byte * bytes) + work.partialByte * bytes * partials
  return {
    workers, lanes, floats, seconds: stillExchange(costs, onLoopback({ workers, lanes, floats }, 2)),
    coordinator: { threadSeconds: workSeconds(costs.coordinator.thread, { bytes, partials, peers }), cpuSeconds: workSeconds(costs.coordinator.processor, { bytes, partials, peers }) },
    allWorkers: { threadSeconds: allWorkers(costs.worker.thread), cpuSeconds: allWorkers(costs.worker.processor) },
  }
}

const shapes = [[1, 1], [1, 4], [1, 12], [4, 1], [4, 3]]
const compute = shapes.map(([lanes, imagesPerLane]) => ({ lanes, imagesPerLane, seconds: 0.02 + 0.01 * lanes + 0.1 * lanes * imagesPerLane }))
const exchange = [1, 2, 3, 4, 8].flatMap((workers) => [500_000, 2_000_000].map((floats) => exchangeOf(workers, floats)))
const fixed = { flopsPerImage: 1e9, crowded: 1.2, inputPixel: 1e-8, cores: 2 }

test('costs are found again from what they would have been measured as', () => {
  const { costs: found, differences } = fitCosts({ compute, exchange, ...fixed })
  for (const part of ['step', 'lane', 'image'] as const) near(found.compute[part], costs.compute[part], part)
  for (const who of ['coordinator', 'worker'] as const) {
    for (const which of ['thread', 'processor'] as const) {
      for (const [part, expected] of Object.entries(costs[who][which])) near(found[who][which][part as keyof Work], expected, `${who}, ${which}, ${part}`, expected === 0 ? 1 : 1e-4)
    }
  }
  near(found.unhidden, costs.unhidden, 'unhidden', 1e-3)
  for (const { what, values } of differences) for (const value of values) assert.ok(Math.abs(value) < 1e-3, `${what}: ${value}`)
})

test('differences tell how far a measurement lies off', () => {
  const noisy = compute.map((one, place) => ({ ...one, seconds: one.seconds * (place % 2 === 0 ? 1.1 : 0.9) }))
  const { differences } = fitCosts({ compute: noisy, exchange, ...fixed })
  const worst = Math.max(...(differences.find(({ what }) => what === 'compute')?.values ?? []).map(Math.abs))
  assert.ok(worst > 0.03 && worst < 0.3, String(worst))
})
