import assert from 'node:assert/strict'
import test from 'node:test'
import { copyOfState, freshState as freshStateOf, type OptimizerState } from '../../../../shared/optim/optimizer.ts'
import { kernelOptimizerMemory, plainOptimizerMemory } from '../../../../shared/optim/optimizer_memory.ts'
import { defaultOptimizer, optimizerOf } from '../../../../shared/optim/optimizers.ts'
import { Model } from '../../../../shared/optim/stepped_weights.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

/** A layout with parameters of odd sizes, including running statistics. */
const layout = layoutOf(networkSchema.parse({
  name: 'test', imageSize: 6, classes: 3, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'conv2d', filters: 5, kernel: 3 }, { type: 'batchNorm', momentum: 0.75 }, { type: 'flatten' }, { type: 'dense', units: 3 }],
}))
const random = new KeyedRandom(6, Purpose.draw)
const randomVector = (): Float32Array => Float32Array.from({ length: layout.size }, () => random.normal())
const optimizer = optimizerOf(defaultOptimizer)
const freshState = (size: number): OptimizerState => freshStateOf(optimizer, size)

function step(model: Model, sum: Float32Array, update: number): void {
  for (let begin = 0; begin < layout.size; begin += 37) {
    const end = Math.min(layout.size, begin + 37)
    model.stepRange({ begin, end }, sum.subarray(begin, end), { samples: 7, update, rate: 1e-3, scale: 1 })
  }
}

test('a model in the kernel\'s memory and one in plain TypeScript have the same bits after 200 steps', () => {
  const start = { ...freshState(layout.size), parameters: randomVector() }
  const kernel = new Model(layout, optimizer, start, kernelOptimizerMemory(optimizer, layout.size) ?? assert.fail('this machine has no kernel'))
  const plain = new Model(layout, optimizer, start, plainOptimizerMemory(optimizer, layout.size))
  for (let update = 1; update <= 200; update++) {
    const sum = randomVector()
    for (const model of [kernel, plain]) {
      step(model, sum, update)
      model.commit()
    }
    assert.deepEqual(kernel.state, plain.state)
  }
})

test('a model that goes on from saved vectors takes the steps that the first one takes, and leaves the vectors as they were', () => {
  const first = new Model(layout, optimizer, { ...freshState(layout.size), parameters: randomVector() })
  step(first, randomVector(), 1)
  first.commit()
  const saved = copyOfState(first.state)
  const resumed = new Model(layout, optimizer, saved)
  const untouched = copyOfState(saved)
  const sum = randomVector()
  for (const model of [first, resumed]) {
    step(model, sum, 2)
    model.commit()
  }
  assert.deepEqual(resumed.state, first.state)
  assert.deepEqual(saved, untouched)
})

test('until a step is committed, the weights are those of before it', () => {
  const start = { ...freshState(layout.size), parameters: randomVector() }
  const model = new Model(layout, optimizer, start)
  const sum = randomVector()
  const fresh = model.stepRange({ begin: 0, end: layout.size }, sum, { samples: 7, update: 1, rate: 1e-3, scale: 1 }).slice()
  assert.deepEqual(copyOfState(model.state), start)
  model.commit()
  assert.deepEqual(model.parameters, fresh)
  assert.notDeepEqual(model.parameters, start.parameters)
})
