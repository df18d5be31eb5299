import assert from 'node:assert/strict'
import test from 'node:test'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { adamStep, type OptimizerState } from '../../../../shared/optim/adam.ts'

const network = networkSchema.parse({
  name: 'test', imageSize: 4, classes: 3, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'conv2d', filters: 4, kernel: 3 }, { type: 'batchNorm', momentum: 0.75 }, { type: 'flatten' }, { type: 'dense', units: 3 }],
})
const layout = layoutOf(network)
const random = new KeyedRandom(5, Purpose.draw)
const randomVector = (): Float32Array => Float32Array.from({ length: layout.size }, () => random.normal())
const stateOf = (parameters: Float32Array): OptimizerState => ({ parameters, m: new Float32Array(layout.size), v: new Float32Array(layout.size) })
const emptyState = (): OptimizerState => stateOf(new Float32Array(layout.size))
const whole = { begin: 0, end: layout.size }

/** The paper's formula by hand, in float64. */
function adamInFloat64(gradients: Float32Array[], start: Float32Array, count: number, learningRate: number): Float64Array {
  const p = Float64Array.from(start)
  const m = new Float64Array(p.length)
  const v = new Float64Array(p.length)
  gradients.forEach((sum, index) => {
    const t = index + 1
    for (let i = 0; i < p.length; i++) {
      const g = sum[i] / count
      m[i] = 0.9 * m[i] + 0.1 * g
      v[i] = 0.999 * v[i] + 0.001 * g * g
      p[i] -= (learningRate * (m[i] / (1 - 0.9 ** t))) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8)
    }
  })
  return p
}

test('ten steps agree with the paper computed in float64', () => {
  const start = randomVector()
  const gradients = Array.from({ length: 10 }, randomVector)
  let state = stateOf(start)
  gradients.forEach((sum, index) => {
    const next = emptyState()
    adamStep(layout, whole, sum, 7, index + 1, 1e-3, state, next)
    state = next
  })
  const { parameters } = state
  const expected = adamInFloat64(gradients, start, 7, 1e-3)
  for (const parameter of layout.parameters.filter((p) => !p.role.startsWith('running'))) {
    for (let i = parameter.offset; i < parameter.offset + parameter.size; i++) {
      assert.ok(Math.abs(parameters[i] - expected[i]) < 2e-6, `${parameter.name}: ${parameters[i]} against ${expected[i]}`)
    }
  }
})

test('every operation is float32: the first step is the reference formula to the last bit', () => {
  const f = Math.fround
  const start = randomVector()
  const sum = randomVector()
  const { parameters: next, ...moments } = emptyState()
  adamStep(layout, whole, sum, 3, 1, 1e-4, stateOf(start), { parameters: next, ...moments })
  for (let i = 0; i < layout.parameters[0].size; i++) {
    const g = f(sum[i] / 3)
    const m = f(f(1 - 0.9) * g)
    const v = f(f(1 - 0.999) * f(g * g))
    const denominator = f(f(f(Math.sqrt(v)) / f(Math.sqrt(1 - 0.999))) + f(1e-8))
    assert.equal(next[i], f(start[i] - f(f(f(1e-4 / (1 - 0.9)) * m) / denominator)))
  }
})

test('stepping in ranges gives the bits of stepping the whole', () => {
  const start = randomVector()
  const sum = randomVector()
  const inOne = emptyState()
  adamStep(layout, whole, sum, 5, 1, 1e-3, stateOf(start), inOne)
  const inRanges = emptyState()
  for (let begin = 0; begin < layout.size; begin += 17) {
    const range = { begin, end: Math.min(layout.size, begin + 17) }
    adamStep(layout, range, sum.subarray(range.begin, range.end), 5, 1, 1e-3, stateOf(start), inRanges)
  }
  assert.deepEqual(inRanges, inOne)
})

test('running statistics are averaged, not stepped', () => {
  const start = randomVector()
  const sum = randomVector()
  const next = emptyState()
  adamStep(layout, whole, sum, 4, 1, 1e-3, stateOf(start), next)
  const mean = layout.parameters.find((parameter) => parameter.role === 'runningMean')
  assert.ok(mean)
  for (let i = mean.offset; i < mean.offset + mean.size; i++) {
    assert.ok(Math.abs(next.parameters[i] - (0.75 * start[i] + (0.25 * sum[i]) / 4)) < 1e-6)
  }
})
