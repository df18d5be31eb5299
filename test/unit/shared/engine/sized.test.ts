import assert from 'node:assert/strict'
import test from 'node:test'
import { createEngine, type EngineRequest } from '../../../../shared/engine/create.ts'
import type { Engine } from '../../../../shared/engine/engine.ts'
import { nativeAvailable } from '../../../../shared/engine/native.ts'
import { EngineError } from '../../../../shared/kit/errors.ts'
import { frozenOf, trainedOf, withFrozen } from '../../../../shared/model/frozen.ts'
import { networkOfSize } from '../../../../shared/model/image_sizes.ts'
import { initialParameters } from '../../../../shared/model/initial.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'

const network = networkSchema.parse({
  name: 'sized', imageSize: 16, classes: 3, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25], imageSizes: [{ from: 1, size: 8 }, { from: 2, size: 12 }],
  layers: [{ type: 'conv2d', filters: 4, kernel: 3, stride: 2, padding: 'same', bias: false }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'globalAveragePool' }, { type: 'dense', units: 3 }],
})
const layout = layoutOf(network)
const partly = withFrozen(network, ['backbone'])

function laneOf(size: number): { images: Uint8Array; labels: Int32Array; masks: Float32Array[] } {
  return { images: Uint8Array.from({ length: 4 * size * size * 3 }, (_, index) => (index * 7919) % 256), labels: Int32Array.of(0, 1, 2, 1), masks: [] }
}

function gradientOf(engine: Engine, size: number): Float32Array {
  const gradient = new Float32Array(layout.size)
  engine.laneGradient(laneOf(size), gradient)
  return gradient
}

for (const kind of ['native', 'wasm'] as const) {
  test(`an engine for several sizes computes each as an engine for that size alone: ${kind}`, { skip: kind === 'native' && !nativeAvailable() && 'no native engine' }, async () => {
    const request: EngineRequest = { engine: kind, precision: 'f32', threads: 1, numerics: 'native', gpu: undefined }
    const sized = await createEngine(network, request)
    const alone = new Map<number, Engine>()
    for (const size of [16, 8, 12]) alone.set(size, await createEngine(networkOfSize(network, size), request))
    for (const seed of [1, 2]) {
      const parameters = initialParameters(layout, seed, 'he')
      sized.setParameters(parameters)
      for (const [size, engine] of alone) {
        engine.setParameters(parameters)
        assert.deepEqual(gradientOf(sized, size), gradientOf(engine, size))
        if (size === 16) assert.deepEqual(sized.logits(laneOf(16).images, 4), engine.logits(laneOf(16).images, 4))
      }
    }
    for (const engine of alone.values()) engine.dispose()

    const frozen = await createEngine(partly, request)
    const whole = initialParameters(layout, 1, 'he')
    sized.setParameters(whole)
    frozen.setFrozen(frozenOf(partly, whole))
    frozen.setParameters(trainedOf(partly, whole))
    assert.deepEqual(frozen.logits(laneOf(16).images, 4), sized.logits(laneOf(16).images, 4))
    const gradient = new Float32Array(layoutOf(partly).size)
    for (const size of [8, 12]) {
      frozen.laneGradient(laneOf(size), gradient)
      assert.ok(gradient.some((value) => value !== 0))
    }
    frozen.dispose()
    assert.throws(() => gradientOf(sized, 10), (error) => error instanceof EngineError && /16 x 16 x 3/.test(error.message))
    assert.throws(() => sized.logits(laneOf(8).images, 4), (error) => error instanceof EngineError && /16 x 16 x 3/.test(error.message))
    sized.dispose()
  })
}
