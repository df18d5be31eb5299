import assert from 'node:assert/strict'
import test from 'node:test'
import { freshState, viewOfState, type OptimizerState } from '../../../../shared/optim/optimizer.ts'
import { kernelOptimizerMemory, type OptimizerMemory } from '../../../../shared/optim/optimizer_memory.ts'
import { optimizerOf, optimizerSchema, type OptimizerOptions } from '../../../../shared/optim/optimizers.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { CHUNK_FLOATS } from '../../../../shared/vectors/chunks.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'

const cases: OptimizerOptions[] = [
  ...optimizerSchema.options.map((schema) => schema.parse({ name: schema.shape.name.value })),
  optimizerSchema.parse({ name: 'adamw', beta1: 0.8, weightDecay: 0.3 }),
  optimizerSchema.parse({ name: 'sgd', momentum: 0 }),
  optimizerSchema.parse({ name: 'sgd', momentum: 0.7, nesterov: true, weightDecay: 0.01 }),
  optimizerSchema.parse({ name: 'adamw', lookahead: { every: 3, share: 0.3 } }),
]

const random = new KeyedRandom(2, Purpose.draw)
/** A random vector of values of any magnitude, including zeros and subnormal float32 values. */
const randomVector = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => (i % 11 === 0 ? 0 : random.normal() * 10 ** random.between(-42, 18)))

function assertSame(actual: OptimizerState, expected: OptimizerState, what: string): void {
  assert.ok(bytesOf(actual.parameters).equals(bytesOf(expected.parameters)), `parameters of ${what}`)
  assert.equal(actual.moments.length, expected.moments.length)
  actual.moments.forEach((moment, index) => assert.ok(bytesOf(moment).equals(bytesOf(expected.moments[index])), `moment ${index} of ${what}`))
}

for (const options of cases) {
  const optimizer = optimizerOf(options)
  const kernelMemory = (size: number): OptimizerMemory => kernelOptimizerMemory(optimizer, size) ?? assert.fail('this machine has no kernel')
  const emptyState = (size: number): OptimizerState => freshState(optimizer, size)
  const which = JSON.stringify(options)

  test(`200 steps of the kernel, in ranges of any length and alignment, are those of the plain loop to the bit: ${which}`, () => {
    const size = 1003
    const memory = kernelMemory(size)
    let [from, to] = memory.states
    let [plainFrom, plainTo] = [emptyState(size), emptyState(size)]
    from.parameters.set(randomVector(size))
    plainFrom.parameters.set(from.parameters)
    for (let update = 1; update <= 200; update++) {
      const sum = randomVector(size)
      const step = { samples: 1 + random.below(100), update, rate: 10 ** random.between(-6, -1), scale: random.below(2) === 0 ? 1 : random.uniform() }
      const factors = [optimizer.coefficients(step, true), optimizer.coefficients(step, false)]
      for (let begin = 0; begin < size; ) {
        const range = { begin, end: Math.min(size, begin + 1 + random.below(200)) }
        const coefficients = factors[random.below(2)]
        memory.stepElements(sum.subarray(range.begin, range.end), viewOfState(from, range), viewOfState(to, range), coefficients)
        optimizer.stepViews(sum.subarray(range.begin, range.end), viewOfState(plainFrom, range), viewOfState(plainTo, range), coefficients)
        begin = range.end
      }
      ;[from, to] = [to, from]
      ;[plainFrom, plainTo] = [plainTo, plainFrom]
      assertSame(from, plainFrom, `step ${update}`)
    }
    assert.ok(from.parameters.every(Number.isFinite))
  })

  test(`a range longer than the gradient chunk that the kernel holds is stepped whole: ${which}`, () => {
    const size = 2 * CHUNK_FLOATS + 5
    const memory = kernelMemory(size)
    const [from, to] = memory.states
    from.parameters.fill(0.5)
    const plainFrom = emptyState(size)
    plainFrom.parameters.fill(0.5)
    const plainTo = emptyState(size)
    const sum = Float32Array.from({ length: size }, (_, i) => Math.fround((i % 1009) - 500))
    const coefficients = optimizer.coefficients({ samples: 64, update: 1, rate: 1e-3, scale: 1 }, true)
    memory.stepElements(sum, from, to, coefficients)
    optimizer.stepViews(sum, plainFrom, plainTo, coefficients)
    assertSame(to, plainTo, 'the step')
  })

  test(`a state may be stepped in place: ${which}`, () => {
    const memory = kernelMemory(10)
    const [state] = memory.states
    const plain = emptyState(10)
    const sum = randomVector(10)
    const coefficients = optimizer.coefficients({ samples: 3, update: 1, rate: 1e-3, scale: 0.5 }, true)
    memory.stepElements(sum, state, state, coefficients)
    optimizer.stepViews(sum, plain, plain, coefficients)
    assertSame(state, plain, 'the step')
  })
}
