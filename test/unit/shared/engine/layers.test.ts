import assert from 'node:assert/strict'
import { test } from 'node:test'
import { layoutOf } from '../../../../shared/model/layout.ts'
import type { Engine, LaneInput, LaneResult } from '../../../../shared/engine/engine.ts'
import { createEagerEngine } from '../../../../shared/engine/eager/engine.ts'
import { createGraphEngine } from '../../../../shared/engine/graph/engine.ts'
import { loadNative } from '../../../../shared/engine/native.ts'
import { laneOf, layerCases, parametersOf, relativeError } from './layers_problem.ts'
import { reference, referenceGradient } from './layers_reference.ts'

/** Tests that compare each layer's loss, gradient and logits in every native engine with a float64 reference and its central differences. */

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

for (const [name, network] of Object.entries(layerCases)) {
  test(`${name}: eager and graph against float64 and its finite differences`, async () => {
    const parameters = parametersOf(network)
    const lane = laneOf(network, 3)
    const vector = Float64Array.from(parameters)
    const expected = reference(network, vector, lane.images, lane.labels, lane.masks, lane.partners)
    const expectedGradient = referenceGradient(network, parameters, lane)
    const expectedLogits = reference(network, vector, lane.images, lane.labels, undefined).logits

    const check = (engine: string, computed: Computed, tolerance: number): void => {
      assert.ok(Math.abs(computed.lossSum - expected.lossSum) <= tolerance * expected.lossSum, `${engine}: loss ${computed.lossSum}, expected ${expected.lossSum}`)
      assert.ok(relativeError(computed.logits, expectedLogits) <= tolerance, `${engine}: logits differ by ${relativeError(computed.logits, expectedLogits)}`)
      for (const { name: parameter, offset, size } of layoutOf(network).parameters) {
        const found = computed.gradient.subarray(offset, offset + size)
        const wanted = expectedGradient.subarray(offset, offset + size)
        // A bias before a batch norm has a gradient of zero, so the error is measured against the norm of the whole vector too.
        const scale = Math.max(Math.hypot(...wanted), 0.01 * Math.hypot(...expectedGradient))
        const error = Math.hypot(...found.map((value, i) => value - wanted[i])) / scale
        assert.ok(error <= tolerance, `${engine}: gradient of ${parameter} differs by ${error}`)
      }
    }
    const eager = compute(createEagerEngine(network, { precision: 'f32', threads: 1, kind: 'native', device: 'cpu', version }), parameters, lane)
    check('eager', eager, 2e-5)
    assert.equal(eager.correct, expected.correct)
    // The portable form differs from that of products in convolutions alone.
    const portable = JSON.stringify(network.layers).includes('conv2d') ? (['portable'] as const) : []
    for (const forms of ['library', 'products', ...portable, 'gpu'] as const) {
      const graph = compute(await createGraphEngine(network, { precision: 'f32', threads: 1, gpu: undefined, forms }), parameters, lane)
      check(`graph f32, ${forms}`, graph, 2e-5)
      assert.equal(graph.correct, expected.correct)
    }
    const bf16 = compute(await createGraphEngine(network, { precision: 'bf16', threads: 1, gpu: undefined }), parameters, lane)
    // Values have eight significant bits: a rounded activation may move to the other side of a ReLU, or a maximum to another place.
    assert.ok(Math.abs(bf16.lossSum - expected.lossSum) <= 0.02 * expected.lossSum, `graph bf16: loss ${bf16.lossSum}, expected ${expected.lossSum}`)
    const error = relativeError(bf16.gradient, expectedGradient)
    assert.ok(error <= 0.1, `graph bf16: gradient differs by ${error}`)
    assert.notDeepEqual(bf16.gradient, eager.gradient)
  })
}
