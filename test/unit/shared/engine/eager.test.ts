import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineError } from '../../../../shared/kit/errors.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { createEagerEngine } from '../../../../shared/engine/eager/engine.ts'
import { loadNative } from '../../../../shared/engine/native.ts'
import { laneOf, networkOf, parametersOf } from './layers_problem.ts'

const { version } = loadNative({ threads: 1, gpu: undefined })
const backend = { threads: 1, kind: 'native', device: 'cpu', version } as const

const network = networkOf([
  { type: 'conv2d', filters: 4, kernel: 3 }, { type: 'batchNorm' }, { type: 'relu' },
  { type: 'globalAveragePool' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: 3 },
])

test('computes in float32 only', () => {
  assert.throws(() => createEagerEngine(network, { ...backend, precision: 'bf16' }), (error: unknown) => error instanceof EngineError && /bf16/.test(error.message))
})

test('holds as many tensors after each call as after the first, and none after dispose', () => {
  const engine = createEagerEngine(network, { ...backend, precision: 'f32' })
  const none = engine.tensorCount()
  const parameters = parametersOf(network)
  const gradient = new Float32Array(layoutOf(network).size)
  const lane = laneOf(network, 2)
  const step = (): number => {
    engine.setParameters(parameters)
    engine.laneGradient(lane, gradient)
    engine.logits(lane.images, 2)
    return engine.tensorCount()
  }
  const first = step()
  for (let i = 0; i < 10; i++) assert.equal(step(), first)
  engine.dispose()
  assert.equal(engine.tensorCount(), none)
})

test('keeps no reference to the parameters, and gives the same bits again', () => {
  const engine = createEagerEngine(network, { ...backend, precision: 'f32' })
  const lane = laneOf(network, 3)
  const given = parametersOf(network)
  engine.setParameters(given)
  given.fill(0)
  const first = new Float32Array(given.length)
  const again = new Float32Array(given.length)
  engine.laneGradient(lane, first)
  engine.setParameters(parametersOf(network))
  engine.laneGradient(lane, again)
  assert.ok(first.some((value) => value !== 0))
  assert.deepEqual(again, first)
  engine.dispose()
})
