import { createEagerEngine } from '../../../../../shared/engine/eager/engine.ts'
import { loadNative } from '../../../../../shared/engine/native.ts'
import { createWasmEngine } from '../../../../../shared/engine/wasm/engine.ts'
import { initialParameters } from '../../../../../shared/model/initial.ts'
import { layoutOf } from '../../../../../shared/model/layout.ts'
import { everyLayer, randomLane } from './problem.ts'

/** Computes one gradient in a process of its own with the engine named by the first argument, and writes its bytes to standard output. */
const kind = process.argv[2]
const options = { precision: 'f32', threads: 1 } as const

function nativeEngine(): ReturnType<typeof createEagerEngine> {
  const { version, device } = loadNative({ threads: 1, gpu: undefined })
  return createEagerEngine(everyLayer, { ...options, kind: 'native', device, version })
}

const engine = kind === 'native' ? nativeEngine() : await createWasmEngine(everyLayer, options)
const layout = layoutOf(everyLayer)
const gradient = new Float32Array(layout.size)
engine.setParameters(initialParameters(layout, 1))
engine.laneGradient(randomLane(everyLayer, 6), gradient)
process.stdout.write(new Uint8Array(gradient.buffer))
