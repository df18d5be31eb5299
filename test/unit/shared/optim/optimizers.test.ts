import assert from 'node:assert/strict'
import test from 'node:test'
import { isStatistic, layoutOf } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { copyOfState, freshState, type OptimizerState, type StepNumbers } from '../../../../shared/optim/optimizer.ts'
import { defaultOptimizer, optimizerOf, optimizerSchema, type OptimizerOptions } from '../../../../shared/optim/optimizers.ts'
import { stepRange } from '../../../../shared/optim/step_range.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

const network = networkSchema.parse({
  name: 'test', imageSize: 4, classes: 3, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'conv2d', filters: 4, kernel: 3 }, { type: 'batchNorm', momentum: 0.75 }, { type: 'flatten' }, { type: 'dense', units: 3 }],
})
const layout = layoutOf(network)
const whole = { begin: 0, end: layout.size }
const random = new KeyedRandom(5, Purpose.draw)
const randomVector = (): Float32Array => Float32Array.from({ length: layout.size }, () => random.normal())
const start = randomVector()
const gradients = Array.from({ length: 10 }, randomVector)
const SAMPLES = 7
const RATE = 1e-2
/** Scale of the gradient by clipping, which differs from step to step. */
const scaleOf = (update: number): number => (update % 3 === 0 ? 0.25 : 1)

/** A reference of ten steps for one element, written in float64 from PyTorch's documentation. */
type Reference = (p: number, gradient: (update: number) => number, decays: boolean) => number

const references: { options: OptimizerOptions; reference: Reference }[] = [
  ...[
    { name: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    { name: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
    { name: 'adamw', beta1: 0.8, beta2: 0.95, epsilon: 1e-4, weightDecay: 0.5 },
  ].map((given) => {
    const options = optimizerSchema.parse(given)
    const { beta1, beta2, epsilon, weightDecay = 0 } = given
    const reference: Reference = (p, gradient, decays) => {
      let [m, v] = [0, 0]
      for (let t = 1; t <= 10; t++) {
        const g = gradient(t)
        if (decays) p -= RATE * weightDecay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        p -= (RATE * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon)
      }
      return p
    }
    return { options, reference }
  }),
  ...[
    { name: 'sgd', momentum: 0.9 },
    { name: 'sgd', momentum: 0 },
    { name: 'sgd', momentum: 0.8, weightDecay: 0.1 },
    { name: 'sgd', momentum: 0.8, weightDecay: 0.1, nesterov: true },
  ].map((given) => {
    const options = optimizerSchema.parse(given)
    const { momentum, weightDecay = 0, nesterov = false } = given
    const reference: Reference = (p, gradient, decays) => {
      let buffer = 0
      for (let t = 1; t <= 10; t++) {
        let g = gradient(t)
        if (decays) g += weightDecay * p
        if (momentum !== 0) {
          buffer = t === 1 ? g : momentum * buffer + g
          g = nesterov ? g + momentum * buffer : buffer
        }
        p -= RATE * g
      }
      return p
    }
    return { options, reference }
  }),
]

const stepOf = (update: number): StepNumbers => ({ samples: SAMPLES, update, rate: RATE, scale: scaleOf(update) })

const LOOKAHEAD = { every: 3, share: 0.4 }
references.push({
  options: optimizerSchema.parse({ name: 'sgd', momentum: 0.9, lookahead: LOOKAHEAD }),
  reference: (p, gradient) => {
    let [buffer, slow] = [0, Number.NaN]
    for (let t = 1; t <= 10; t++) {
      buffer = 0.9 * buffer + gradient(t)
      p -= RATE * buffer
      // The paper's slow weights begin with the first weights that are met; later ones go a share of the way to those ahead of them.
      if (t === LOOKAHEAD.every) slow = p
      else if (t % LOOKAHEAD.every === 0) p = slow += LOOKAHEAD.share * (p - slow)
    }
    return p
  },
})

for (const { options, reference } of references) {
  const optimizer = optimizerOf(options)
  test(`ten steps of ${JSON.stringify(options)} agree with PyTorch's formula in float64; weight decay is for kernels alone`, () => {
    const state = { ...freshState(optimizer, layout.size), parameters: start.slice() }
    gradients.forEach((sum, index) => stepRange(layout, optimizer, { range: whole, sum, step: stepOf(index + 1), from: state, to: state }))
    for (const parameter of layout.parameters.filter((each) => !isStatistic(each))) {
      for (let i = parameter.offset; i < parameter.offset + parameter.size; i++) {
        const expected = reference(start[i], (update) => (gradients[update - 1][i] / SAMPLES) * scaleOf(update), parameter.role === 'kernel')
        assert.ok(Math.abs(state.parameters[i] - expected) < 2e-6, `${parameter.name}: ${state.parameters[i]} against ${expected}`)
      }
    }
  })

  test(`stepping in ranges gives the bits of stepping the whole: ${JSON.stringify(options)}`, () => {
    const from: OptimizerState = { parameters: start, moments: optimizer.moments.map(() => randomVector().map(Math.abs)) }
    const [sum] = gradients
    const [inOne, inRanges] = [freshState(optimizer, layout.size), freshState(optimizer, layout.size)]
    stepRange(layout, optimizer, { range: whole, sum, step: stepOf(3), from, to: inOne })
    for (let begin = 0; begin < layout.size; begin += 17) {
      const range = { begin, end: Math.min(layout.size, begin + 17) }
      stepRange(layout, optimizer, { range, sum: sum.subarray(range.begin, range.end), step: stepOf(3), from, to: inRanges })
    }
    assert.deepEqual(inRanges, inOne)
  })

  test(`running statistics are averaged, not stepped, nor clipped: ${JSON.stringify(options)}`, () => {
    const state = { ...freshState(optimizer, layout.size), parameters: start.slice() }
    const [sum] = gradients
    stepRange(layout, optimizer, { range: whole, sum, step: { samples: 4, update: 1, rate: RATE, scale: 0.5 }, from: copyOfState(state), to: state })
    const mean = layout.parameters.find((parameter) => parameter.role === 'runningMean')
    assert.ok(mean)
    for (let i = mean.offset; i < mean.offset + mean.size; i++) {
      assert.ok(Math.abs(state.parameters[i] - (0.75 * start[i] + (0.25 * sum[i]) / 4)) < 1e-6)
      assert.ok(state.moments.every((moment) => moment[i] === 0))
    }
  })
}

test('every operation of Adam is float32: the first step is the reference formula to the last bit', () => {
  const f = Math.fround
  const optimizer = optimizerOf(defaultOptimizer)
  const [sum] = gradients
  const next = freshState(optimizer, layout.size)
  stepRange(layout, optimizer, { range: whole, sum, step: { samples: 3, update: 1, rate: 1e-4, scale: 1 }, from: { ...freshState(optimizer, layout.size), parameters: start }, to: next })
  for (let i = 0; i < layout.parameters[0].size; i++) {
    const g = f(sum[i] / 3)
    const m = f(f(1 - 0.9) * g)
    const v = f(f(1 - 0.999) * f(g * g))
    const denominator = f(f(f(Math.sqrt(v)) / f(Math.sqrt(1 - 0.999))) + f(1e-8))
    assert.equal(next.parameters[i], f(start[i] - f(f(f(1e-4 / (1 - 0.9)) * m) / denominator)))
  }
})

test('options of an optimizer are checked by name', () => {
  assert.deepEqual(optimizerSchema.parse({ name: 'adam' }), { name: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })
  assert.deepEqual(optimizerSchema.parse({ name: 'sgd' }), { name: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 })
  assert.throws(() => optimizerSchema.parse({ name: 'adam', weightDecay: 0.1 }), /weightDecay/)
  assert.throws(() => optimizerSchema.parse({ name: 'lion' }), /name/)
  assert.throws(() => optimizerSchema.parse({ name: 'adamw', beta1: 1 }), /beta1/)
  assert.throws(() => optimizerSchema.parse({ name: 'sgd', momentum: 0, nesterov: true }), /needs a momentum above 0/)
})
