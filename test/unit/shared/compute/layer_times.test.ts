import assert from 'node:assert/strict'
import test from 'node:test'
import { measureLayers } from '../../../../shared/compute/layer_times.ts'
import { nativeAvailable } from '../../../../shared/engine/native.ts'
import { EngineError } from '../../../../shared/kit/errors.ts'
import { walkLayers } from '../../../../shared/model/network.ts'
import { everyLayer } from '../engine/wasm/problem.ts'

for (const engine of ['native', 'wasm'] as const) {
  test(`each layer is timed by itself, forward and backward: ${engine}`, { skip: engine === 'native' && !nativeAvailable() && 'no native engine' }, async () => {
    const { version, step, layers } = await measureLayers({ network: everyLayer, engine, threads: 1, lane: 4, seconds: 0.05 })
    assert.match(version, engine === 'wasm' ? /wasm/ : /^TensorFlow \d/)
    assert.deepEqual(layers.map(({ name }) => name), walkLayers(everyLayer).map(({ name }) => name))
    assert.ok(step > 0)
    assert.ok(layers.every(({ forward, backward }) => forward >= 0 && backward >= 0), JSON.stringify(layers))
    // A layer as small as these can take no longer than a call that computes nothing, so only their sum is sure to be seen.
    assert.ok(layers.reduce((sum, { forward, backward }) => sum + forward + backward, 0) > 0)
  })
}

test('an engine that cannot compute is told of', async () => {
  await assert.rejects(measureLayers({ network: everyLayer, engine: 'wasm', threads: 2, lane: 1, seconds: 0.05 }), (error: unknown) => error instanceof EngineError && /threads is 2/.test(error.message))
})
