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
    const of = new Map(layers.map((layer) => [layer.name, layer]))
    // So small a layer may take no longer, forward, than a call that computes nothing.
    for (const name of ['conv2d_3', 'conv2d_4']) assert.ok(of.get(name)!.forward + of.get(name)!.backward > 0, name)
  })
}

test('an engine that cannot compute is told of', async () => {
  await assert.rejects(measureLayers({ network: everyLayer, engine: 'wasm', threads: 2, lane: 1, seconds: 0.05 }), (error: unknown) => error instanceof EngineError && /threads is 2/.test(error.message))
})
