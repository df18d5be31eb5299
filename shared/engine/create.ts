import { EngineError } from '../kit/errors.ts'
import type { Network } from '../model/network.ts'
import type { Engine, EngineChoice, EngineKind, Precision } from './engine.ts'
import { numericsFingerprint } from './fingerprint.ts'
import { loadNative, nativeAvailable } from './native.ts'

export interface EngineRequest {
  engine: EngineKind
  precision: Precision
  threads: number
  /** Index of a GPU, or undefined for the CPU. */
  gpu: number | undefined
}

/**
 * Compiles a network. Engines are loaded when they are asked for: the native one is a large library, and must not be
 * touched where wasm computes.
 * @throws EngineError when the engine cannot be loaded or does not support the precision or a layer.
 */
export async function createEngine(network: Network, request: EngineRequest): Promise<Engine> {
  if (request.engine === 'wasm') {
    const { createWasmEngine } = await import('./wasm/engine.ts')
    return createWasmEngine(network, request)
  }
  const { createGraphEngine } = await import('./graph/engine.ts')
  return createGraphEngine(network, request)
}

export interface FingerprintedEngine {
  engine: Engine
  /** The machine's numerics fingerprint under the same settings. */
  fingerprint: string
  /** What a person should know of how the engine came up: for example that no GPU was found. */
  note: string | undefined
}

export async function createFingerprinted(network: Network, request: EngineRequest): Promise<FingerprintedEngine> {
  const fingerprint = await numericsFingerprint((problem) => createEngine(problem, request))
  const engine = await createEngine(network, request)
  return { engine, fingerprint, note: request.engine === 'native' ? loadNative(request).note : undefined }
}

/** Measured on the article's network, float32, one thread. */
const WASM_NOTICE =
  'The native engine is not installed here, so wasm computes: about 20 times slower, the same training. `npx herd setup` obtains the native engine.'

/**
 * What `--engine auto` means on this machine.
 * @throws EngineError when native is asked for by name, or by a precision that only native has, and is not there.
 */
export function resolveEngine(choice: EngineChoice, precision: Precision, gpu?: number): { engine: EngineKind; notice: string | undefined } {
  if (choice === 'wasm') {
    if (precision === 'bf16') throw new EngineError('--precision bf16 needs the native engine: leave --engine wasm out, or take --precision f32.')
    return { engine: 'wasm', notice: undefined }
  }
  if (nativeAvailable({ gpu: gpu !== undefined })) return { engine: 'native', notice: undefined }
  if (choice === 'native') throw new EngineError('--engine native: the native engine is not installed here. Run `npx herd setup`, or take --engine wasm.')
  if (precision === 'bf16') throw new EngineError('--precision bf16 needs the native engine, which is not installed here. Run `npx herd setup`, or take --precision f32.')
  return { engine: 'wasm', notice: WASM_NOTICE }
}
