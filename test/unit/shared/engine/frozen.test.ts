import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEagerEngine } from '../../../../shared/engine/eager/engine.ts'
import type { Engine } from '../../../../shared/engine/engine.ts'
import { Backward } from '../../../../shared/engine/graph/backward.ts'
import { createGraphEngine } from '../../../../shared/engine/graph/engine.ts'
import { emitForward } from '../../../../shared/engine/graph/forward.ts'
import { NodeBuilder } from '../../../../shared/engine/graph/node_builder.ts'
import { loadNative } from '../../../../shared/engine/native.ts'
import { EngineError } from '../../../../shared/kit/errors.ts'
import { frozenOf, thawed, trainedOf, withFrozen } from '../../../../shared/model/frozen.ts'
import { layoutOf, viewOf, wholeLayoutOf } from '../../../../shared/model/layout.ts'
import type { Network } from '../../../../shared/model/network.ts'
import { laneOf, networkOf, parametersOf, relativeError } from './layers_problem.ts'

const native = { threads: 1, gpu: undefined }
const { version } = loadNative(native)
const engines: Record<string, (network: Network) => Promise<Engine>> = {
  graph: (network) => createGraphEngine(network, { ...native, precision: 'f32' }),
  'graph in portable form': (network) => createGraphEngine(network, { ...native, precision: 'f32', forms: 'portable' }),
  eager: (network) => Promise.resolve(createEagerEngine(network, { threads: 1, kind: 'native', device: 'cpu', version, precision: 'f32' })),
}

const conv = { type: 'conv2d', filters: 4, kernel: 3, padding: 'same' }
const relu = { type: 'relu' }
const plain = networkOf([conv, relu, { type: 'residual', layers: [conv, relu, { type: 'depthwiseConv2d', kernel: 3, padding: 'same' }], shortcut: [{ ...conv, kernel: 1 }] }, relu, { type: 'globalAveragePool' }, { type: 'dense', units: 5 }, relu, { type: 'dense', units: 3 }])
const normed = networkOf([{ ...conv, bias: false }, { type: 'batchNorm' }, relu, conv, { type: 'batchNorm', epsilon: 0.01 }, relu, { type: 'globalAveragePool' }, { type: 'dense', units: 3 }])

/** The gradient of a lane, and logits, with all parameters `whole`. */
async function computed(create: (network: Network) => Promise<Engine>, network: Network, whole: Float32Array): Promise<{ gradient: Float32Array; logits: Float32Array; lossSum: number }> {
  const engine = await create(network)
  try {
    if (network.frozen !== undefined) {
      engine.setParameters(trainedOf(network, whole))
      assert.throws(() => engine.logits(laneOf(network, 3).images, 3), (error: unknown) => error instanceof EngineError && /0 of \d+ frozen parameters have been set/.test(error.message))
      engine.setFrozen(frozenOf(network, whole))
    }
    engine.setParameters(trainedOf(network, whole))
    const gradient = new Float32Array(layoutOf(network).size)
    const lane = laneOf(network, 3)
    const { lossSum } = engine.laneGradient(lane, gradient)
    return { gradient, lossSum, logits: engine.logits(lane.images, 3) }
  } finally {
    engine.dispose()
  }
}

for (const [name, create] of Object.entries(engines)) {
  for (const patterns of [['backbone'], ['head'], ['conv2d_1', 'conv2d_2'], ['depthwiseConv2d_1', 'dense_1/bias'], ['conv2d_3', '*/kernel']]) {
    test(`${name}: with ${patterns.join(' and ')} frozen, the gradient is that part of the whole one`, async () => {
      const network = withFrozen(plain, patterns)
      const whole = parametersOf(plain)
      const found = await computed(create, network, whole)
      const full = await computed(create, plain, whole)
      assert.ok(found.gradient.length < full.gradient.length)
      assert.ok(relativeError(found.gradient, trainedOf(network, full.gradient)) < 1e-6)
      assert.deepEqual([found.logits, found.lossSum], [full.logits, full.lossSum])
    })
  }

  test(`${name}: a frozen batch norm computes with its running statistics, as a product and a sum with constants would`, async () => {
    const network = withFrozen(normed, ['batchNorm_2'])
    const whole = parametersOf(normed)
    // The same as a network in which a convolution of each channel by itself stands for the norm.
    const twin = networkOf(normed.layers.map((layer, index) => (index === 4 ? { type: 'depthwiseConv2d', kernel: 1 } : layer)))
    const given = new Map(wholeLayoutOf(normed).parameters.map((parameter) => [parameter.name, viewOf(whole, parameter)]))
    const [gamma, beta, mean, variance] = ['gamma', 'beta', 'runningMean', 'runningVariance'].map((role) => given.get(`batchNorm_2/${role}`)!)
    const slopes = gamma.map((value, channel) => value / Math.sqrt(variance[channel] + 0.01))
    given.set('depthwiseConv2d_1/kernel', slopes).set('depthwiseConv2d_1/bias', beta.map((value, channel) => value - mean[channel] * slopes[channel]))
    const layout = layoutOf(twin)
    const ofTwin = new Float32Array(layout.size)
    for (const parameter of layout.parameters) viewOf(ofTwin, parameter).set(given.get(parameter.name)!)

    const found = await computed(create, network, whole)
    const expected = await computed(create, twin, ofTwin)
    const inTwin = new Map(layout.parameters.map((parameter) => [parameter.name, viewOf(expected.gradient, parameter)]))
    assert.ok(!layoutOf(network).parameters.some((parameter) => parameter.name.startsWith('batchNorm_2')))
    for (const parameter of layoutOf(network).parameters) assert.ok(relativeError(viewOf(found.gradient, parameter), inTwin.get(parameter.name)!) < 1e-4, parameter.name)
    assert.ok(relativeError(found.logits, expected.logits) < 1e-5)
  })
}

test('bf16 trains the head on frozen norms as float32 does', async () => {
  const network = withFrozen(normed, ['backbone'])
  const whole = parametersOf(normed)
  const coarse = await computed((each) => createGraphEngine(each, { ...native, precision: 'bf16' }), network, whole)
  const fine = await computed(engines['graph'], network, whole)
  assert.ok(relativeError(coarse.gradient, fine.gradient) < 0.05)
  const below = withFrozen(normed, ['batchNorm_*'])
  const coarseBelow = await computed((each) => createGraphEngine(each, { ...native, precision: 'bf16' }), below, whole)
  const fineBelow = await computed(engines['graph'], below, whole)
  assert.ok(relativeError(coarseBelow.gradient, fineBelow.gradient) < 0.1)
})

test('below the lowest layer that is trained, nothing of the backward pass is emitted', () => {
  const operationsOf = (network: Network): number => {
    const graph = new NodeBuilder()
    const parameters = wholeLayoutOf(network).parameters.map((parameter) => ({ parameter, value: graph.placeholder(parameter.name, 'float32', parameter.shape) }))
    const { logits, steps } = emitForward(graph, network, graph.placeholder('images', 'float32', [-1, 7, 7, 3]), { parameters, masks: [], type: 'float32' })
    const before = graph.finish().node.length
    new Backward(graph, 'library').steps(steps, logits, false)
    return graph.finish().node.length - before
  }
  const headAlone = operationsOf(withFrozen(normed, ['backbone']))
  assert.ok(headAlone <= 4, `${headAlone} operations for a product of matrices and a sum`)
  assert.ok(operationsOf(withFrozen(normed, ['conv2d_1', 'batchNorm_1'])) < operationsOf(thawed(normed)) - 3)
})

test('an engine with frozen parameters holds as many tensors after each call as after the first, and none after dispose', async () => {
  const network = withFrozen(normed, ['conv2d_1', 'batchNorm_1'])
  const whole = parametersOf(normed)
  for (const create of [engines['graph'], engines['eager']]) {
    const engine = await create(network)
    const none = engine.tensorCount()
    const gradient = new Float32Array(layoutOf(network).size)
    const step = (): number => {
      engine.setFrozen(frozenOf(network, whole))
      engine.setParameters(trainedOf(network, whole))
      engine.laneGradient(laneOf(network, 2), gradient)
      engine.logits(laneOf(network, 2).images, 2)
      return engine.tensorCount()
    }
    const first = step()
    for (let i = 0; i < 3; i++) assert.equal(step(), first)
    assert.throws(() => engine.setFrozen(whole), /frozen parameters has \d+ values/)
    engine.dispose()
    assert.equal(engine.tensorCount(), none)
  }
})
