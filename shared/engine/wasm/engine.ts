import { EngineError } from '../../kit/errors.ts'
import type { Network } from '../../model/network.ts'
import { createEagerEngine } from '../eager/engine.ts'
import type { Engine, EngineOptions } from '../engine.ts'
import { loadWasmBackend } from './backend.ts'

/**
 * The fallback engine, for a machine where the native one cannot be had: tfjs's operations and autodiff on its wasm
 * backend, with this project's gradient kernels.
 * @throws EngineError for bf16 and for more than one thread, which the backend does not have under Node, and if it
 *   cannot be loaded.
 */
export async function createWasmEngine(network: Network, options: EngineOptions): Promise<Engine> {
  const { precision, threads } = options
  if (precision !== 'f32') throw new EngineError(`precision ${precision} needs the native engine; the wasm engine computes in f32 only: use --precision f32, or get the native engine with \`npx herd setup\`.`)
  const { version } = await loadWasmBackend({ threads })
  return createEagerEngine(network, { precision, threads, kind: 'wasm', device: 'cpu', version: `TensorFlow.js wasm ${version}` })
}
