import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { suite, test } from 'node:test'
import { EngineError } from '../../../../../shared/kit/errors.ts'
import { nativeAvailable } from '../../../../../shared/engine/native.ts'
import { createWasmEngine } from '../../../../../shared/engine/wasm/engine.ts'
import { initialParameters } from '../../../../../shared/model/initial.ts'
import { isStatistic, layoutOf, viewOf } from '../../../../../shared/model/layout.ts'
import { assertClose } from './reference.ts'
import { everyLayer, randomLane } from './problem.ts'

const layout = layoutOf(everyLayer)
const f32 = { precision: 'f32', threads: 1 } as const

/** Computes the gradient of the same lane in another process. */
function gradientElsewhere(kind: 'native' | 'wasm'): Float32Array {
  const script = path.join(import.meta.dirname, 'gradient_process.js')
  const bytes = execFileSync(process.execPath, [script, kind], { env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' } })
  return new Float32Array(Uint8Array.from(bytes).buffer)
}

async function gradientHere(): Promise<Float32Array> {
  const engine = await createWasmEngine(everyLayer, f32)
  const gradient = new Float32Array(layout.size)
  engine.setParameters(initialParameters(layout, 1))
  engine.laneGradient(randomLane(everyLayer, 6), gradient)
  engine.dispose()
  return gradient
}

suite('wasm engine', () => {
  test('a tiny network with every layer learns a lane by heart, and holds no tensor from step to step', async () => {
    const engine = await createWasmEngine(everyLayer, f32)
    const parameters = initialParameters(layout, 1)
    const gradient = new Float32Array(layout.size)
    const lane = randomLane(everyLayer, 6)
    const losses: number[] = []
    const tensors: number[] = []
    for (let step = 0; step < 30; step++) {
      engine.setParameters(parameters)
      losses.push(engine.laneGradient(lane, gradient).lossSum)
      tensors.push(engine.tensorCount())
      for (const parameter of layout.parameters) {
        if (isStatistic(parameter)) continue
        const slope = viewOf(gradient, parameter)
        viewOf(parameters, parameter).forEach((_, index, values) => (values[index] -= 0.1 * slope[index]))
      }
    }
    assert.ok(losses.every(Number.isFinite), `losses ${losses.join(', ')}`)
    assert.ok(losses[29] < 0.7 * losses[0], `the loss went from ${losses[0]} to ${losses[29]}`)
    assert.deepEqual(new Set(tensors).size, 1, `tensors held: ${tensors.join(', ')}`)
    engine.dispose()
    assert.deepEqual(engine.info, { kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'TensorFlow.js wasm 4.22.0' })
  })

  test('the gradient has the same bits again and in another process', async () => {
    const first = await gradientHere()
    assert.ok(first.some((value) => value !== 0))
    assert.deepEqual(await gradientHere(), first)
    assert.deepEqual(gradientElsewhere('wasm'), first)
  })

  test('the gradient agrees with TensorFlow', { skip: nativeAvailable() ? false : 'the native engine is not installed' }, async () => {
    const ours = await gradientHere()
    const native = gradientElsewhere('native')
    for (const parameter of layout.parameters) assertClose(viewOf(ours, parameter), Float64Array.from(viewOf(native, parameter)), 1e-4, parameter.name)
  })

  test('what it cannot do is refused: bf16, more than one thread', async () => {
    await assert.rejects(createWasmEngine(everyLayer, { precision: 'bf16', threads: 1 }), (error) => error instanceof EngineError && /bf16 needs the native engine/.test(error.message))
    await assert.rejects(createWasmEngine(everyLayer, { precision: 'f32', threads: 2 }), (error) => error instanceof EngineError && /threads is 2/.test(error.message))
  })

  test('loading leaves the process its own handlers of unhandled errors', async () => {
    const handlers = [process.listeners('uncaughtException'), process.listeners('unhandledRejection')]
    await createWasmEngine(everyLayer, f32)
    assert.deepEqual([process.listeners('uncaughtException'), process.listeners('unhandledRejection')], handlers)
  })
})
