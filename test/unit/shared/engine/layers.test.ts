import assert from 'node:assert/strict'
import { test } from 'node:test'
import { layoutOf } from '../../../../shared/network/layout.ts'
import type { Network } from '../../../../shared/network/network.ts'
import type { Engine, LaneInput, LaneResult } from '../../../../shared/engine/engine.ts'
import { createEagerEngine } from '../../../../shared/engine/eager/engine.ts'
import { createGraphEngine } from '../../../../shared/engine/graph/engine.ts'
import { loadNative } from '../../../../shared/engine/native.ts'
import { laneOf, networkOf, parametersOf, relativeError } from './layers_problem.ts'
import { reference, referenceGradient } from './layers_reference.ts'

/** Each layer's loss, gradient and logits, of every native engine, against a float64 reference and its differences. */

const conv = (fields: object = {}) => ({ type: 'conv2d', filters: 4, kernel: 3, ...fields })
const depthwise = (fields: object = {}) => ({ type: 'depthwiseConv2d', kernel: 3, ...fields })
const relu = { type: 'relu' }
const batchNorm = { type: 'batchNorm' }
const end = [{ type: 'flatten' }, { type: 'dense', units: 3 }]
const small = [{ type: 'globalAveragePool' }, { type: 'dense', units: 3 }]

const cases: Record<string, Network> = {
  'conv2d valid': networkOf([conv(), relu, conv(), ...end]),
  'conv2d same': networkOf([conv({ padding: 'same' }), relu, conv({ padding: 'same' }), ...small]),
  'conv2d stride 2 valid': networkOf([conv({ stride: 2 }), relu, conv({ stride: 2 }), ...end]),
  'conv2d stride 2 same': networkOf([conv({ stride: 2, padding: 'same' }), relu, conv({ stride: 2, padding: 'same' }), ...end]),
  'conv2d even kernel same': networkOf([conv({ kernel: 2, padding: 'same' }), relu, conv({ kernel: 4, padding: 'same' }), ...small]),
  'conv2d even kernel stride 2 same': networkOf([conv({ kernel: 2, padding: 'same' }), relu, conv({ kernel: 4, stride: 2, padding: 'same' }), ...end]),
  'conv2d 1x1 without bias': networkOf([conv({ kernel: 1, bias: false }), relu, conv({ kernel: 1, bias: false }), ...small]),
  'conv2d wide enough for products': networkOf([conv({ filters: 16 }), relu, conv({ filters: 32, kernel: 1 }), conv({ filters: 48, kernel: 1 }), relu, conv({ filters: 32, kernel: 1 }), ...small]),
  'depthwise valid': networkOf([conv({ kernel: 1 }), depthwise(), relu, ...end]),
  'depthwise same without bias': networkOf([depthwise({ padding: 'same', bias: false }), relu, depthwise({ padding: 'same' }), ...small]),
  'depthwise stride 2': networkOf([depthwise({ stride: 2 }), relu, depthwise({ stride: 2, padding: 'same' }), ...end]),
  'max pool': networkOf([conv(), { type: 'maxPool', size: 2, stride: 2 }, ...end]),
  'relu and max pool': networkOf([conv(), relu, { type: 'maxPool', size: 2, stride: 2 }, ...end]),
  'max pool overlapping': networkOf([conv(), { type: 'maxPool', size: 3, stride: 1 }, ...end]),
  'max pool overlapping same': networkOf([conv(), relu, { type: 'maxPool', size: 3, stride: 2, padding: 'same' }, ...end]),
  'average pool': networkOf([conv(), relu, { type: 'averagePool', size: 2, stride: 2 }, ...end]),
  'average pool same': networkOf([conv(), relu, { type: 'averagePool', size: 3, stride: 2, padding: 'same' }, ...end]),
  'global average pool last': networkOf([conv(), relu, conv({ filters: 3 }), { type: 'globalAveragePool' }]),
  'dense without bias': networkOf([...small.slice(0, 1), { type: 'dense', units: 5, bias: false }, relu, { type: 'dense', units: 3, bias: false }]),
  'dropout': networkOf([conv(), { type: 'dropout', rate: 0.25 }, relu, { type: 'globalAveragePool' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: 3 }]),
  'batch norm of images': networkOf([conv({ bias: false }), batchNorm, relu, conv(), { ...batchNorm, epsilon: 1e-3 }, ...small]),
  'batch norm of vectors': networkOf([conv({ stride: 2 }), { type: 'flatten' }, { type: 'dense', units: 4 }, batchNorm, relu, { type: 'dense', units: 3 }]),
  'batch norm first': networkOf([batchNorm, conv(), relu, ...small]),
  'residual, identity shortcut': networkOf([conv(), { type: 'residual', layers: [conv({ padding: 'same' }), relu, conv({ padding: 'same' })], shortcut: [] }, relu, ...small]),
  'residual, convolution shortcut': networkOf([
    conv(),
    { type: 'residual', layers: [conv({ filters: 5, stride: 2 }), batchNorm, relu], shortcut: [conv({ filters: 5, kernel: 3, stride: 2 }), batchNorm] },
    relu, ...small,
  ]),
  'residual, max pool shortcut, first': networkOf([{ type: 'residual', layers: [conv({ filters: 3, kernel: 2, stride: 2 }), relu], shortcut: [{ type: 'maxPool', size: 2, stride: 2 }] }, ...end]),
  'label smoothing': networkOf([conv({ stride: 2 }), relu, ...end], { labelSmoothing: 0.1 }),
  'layers without parameters first': networkOf([{ type: 'averagePool', size: 2, stride: 1 }, relu, { type: 'dropout', rate: 0.2 }, { type: 'maxPool', size: 2, stride: 2 }, ...end]),
  'image of whole words': networkOf([conv(), relu, conv(), ...small], { imageSize: 8 }),
}

interface Computed extends LaneResult {
  gradient: Float32Array
  logits: Float32Array
}

function compute(engine: Engine, parameters: Float32Array, lane: LaneInput): Computed {
  const gradient = new Float32Array(parameters.length).fill(Number.NaN)
  engine.setParameters(parameters)
  const result = engine.laneGradient(lane, gradient)
  const logits = engine.logits(lane.images, lane.labels.length)
  engine.dispose()
  return { ...result, gradient, logits }
}

const { version } = loadNative({ threads: 1, gpu: undefined })

for (const [name, network] of Object.entries(cases)) {
  test(`${name}: eager and graph against float64 and its finite differences`, async () => {
    const parameters = parametersOf(network)
    const lane = laneOf(network, 3)
    const vector = Float64Array.from(parameters)
    const expected = reference(network, vector, lane.images, lane.labels, lane.masks)
    const expectedGradient = referenceGradient(network, parameters, lane)
    const expectedLogits = reference(network, vector, lane.images, lane.labels, undefined).logits

    const check = (engine: string, computed: Computed, tolerance: number): void => {
      assert.ok(Math.abs(computed.lossSum - expected.lossSum) <= tolerance * expected.lossSum, `${engine}: loss ${computed.lossSum}, expected ${expected.lossSum}`)
      assert.ok(relativeError(computed.logits, expectedLogits) <= tolerance, `${engine}: logits differ by ${relativeError(computed.logits, expectedLogits)}`)
      for (const { name: parameter, offset, size } of layoutOf(network).parameters) {
        const found = computed.gradient.subarray(offset, offset + size)
        const wanted = expectedGradient.subarray(offset, offset + size)
        // A bias before a batch norm has a gradient of zero, so that the error is measured against the whole vector's size too.
        const scale = Math.max(Math.hypot(...wanted), 0.01 * Math.hypot(...expectedGradient))
        const error = Math.hypot(...found.map((value, i) => value - wanted[i])) / scale
        assert.ok(error <= tolerance, `${engine}: gradient of ${parameter} differs by ${error}`)
      }
    }
    const eager = compute(createEagerEngine(network, { precision: 'f32', threads: 1, kind: 'native', device: 'cpu', version }), parameters, lane)
    check('eager', eager, 2e-5)
    assert.equal(eager.correct, expected.correct)
    for (const forms of ['library', 'products'] as const) {
      const graph = compute(await createGraphEngine(network, { precision: 'f32', threads: 1, gpu: undefined, forms }), parameters, lane)
      check(`graph f32, ${forms}`, graph, 2e-5)
      assert.equal(graph.correct, expected.correct)
    }
    const bf16 = compute(await createGraphEngine(network, { precision: 'bf16', threads: 1, gpu: undefined }), parameters, lane)
    // Eight significant bits: a rounded activation may take another side of a ReLU or another place of a maximum.
    assert.ok(Math.abs(bf16.lossSum - expected.lossSum) <= 0.02 * expected.lossSum, `graph bf16: loss ${bf16.lossSum}, expected ${expected.lossSum}`)
    const error = relativeError(bf16.gradient, expectedGradient)
    assert.ok(error <= 0.1, `graph bf16: gradient differs by ${error}`)
    assert.notDeepEqual(bf16.gradient, eager.gradient)
  })
}
