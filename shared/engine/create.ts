import { EngineError } from '../kit/errors.ts'
import { processorCaches } from '../kit/processor.ts'
import type { Network } from '../model/network.ts'
import type { Engine, EngineChoice, EngineKind, Numerics, Precision } from './engine.ts'
import { numericsFingerprint } from './fingerprint.ts'
import { loadNative, nativeAvailable } from './native.ts'
import { createSizedEngine } from './sized.ts'

export interface EngineRequest {
  engine: EngineKind
  precision: Precision
  threads: number
  numerics: Numerics
  /** Index of a GPU, or undefined for the CPU. */
  gpu: number | undefined
}

/**
 * Compiles a network on the requested engine. An engine's library is loaded only on request: the native one is large, and must
 * not be touched where wasm computes.
 * @throws EngineError if the engine cannot be loaded, or does not support the precision, the number of threads or a layer.
 */
export async function createEngine(network: Network, request: EngineRequest): Promise<Engine> {
  if (network.imageSizes !== undefined) return createSizedEngine(network, (sized) => createEngine(sized, request))
  if (request.engine === 'wasm') {
    const { createWasmEngine } = await import('./wasm/engine.ts')
    return createWasmEngine(network, request)
  }
  const { createGraphEngine } = await import('./graph/engine.ts')
  return createGraphEngine(network, request)
}

export interface FingerprintedEngine {
  engine: Engine
  /** Numerics fingerprint of the machine with the same settings. */
  fingerprint: string
  /** Message for the user about how the engine started, for example that no GPU was found. */
  note: string | undefined
}

/** Compiles a network and computes the numerics fingerprint with the same settings. @throws EngineError as `createEngine` does */
export async function createFingerprinted(network: Network, request: EngineRequest): Promise<FingerprintedEngine> {
  const fingerprint = await numericsFingerprint((problem) => createEngine(problem, request), cachesThatCount(request))
  const engine = await createEngine(network, request)
  return { engine, fingerprint, note: request.engine === 'native' ? loadNative(request).note : undefined }
}

/** Sizes of the caches by which oneDNN's convolutions cut sums, seen where it chooses kernels by the processor. */
function cachesThatCount({ engine, numerics, gpu }: EngineRequest): string[] {
  if (engine !== 'native' || numerics !== 'native' || gpu !== undefined) return []
  return processorCaches().filter((cache) => cache.startsWith('L1') || cache.startsWith('L2'))
}

/** Notice for the user. Its factor of 20 was measured on the article's network in float32, with one thread. */
const WASM_NOTICE =
  'The native engine is not installed here, so wasm computes: about 20 times slower, the same training. `npx herd setup` obtains the native engine.'

/**
 * Decides which engine computes: the one that is asked for or, with `auto`, the native one if it is installed and wasm otherwise.
 * @param gpu index of the GPU to use; undefined for the CPU
 * @returns `notice`: message for the user if wasm takes the place of the native engine
 * @throws EngineError if native is asked for, by name or by a precision that only native has, and is not installed; also for wasm in bf16.
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
