import type { EngineRequest } from './create.ts'
import type { LayerRuns, LoneLayer } from './layer_runs.ts'

/**
 * Prepares layers to be computed one by one, as the engine computes them in a network, in float32 on the CPU.
 * @param count samples of the lane
 * @throws EngineError if the engine cannot be loaded
 */
export async function prepareLayers(layers: readonly LoneLayer[], count: number, { engine, threads }: Pick<EngineRequest, 'engine' | 'threads'>): Promise<LayerRuns> {
  if (engine === 'wasm') {
    const { loadWasmBackend } = await import('./wasm/backend.ts')
    await loadWasmBackend({ threads })
    const { prepareEagerLayers } = await import('./eager/layer_runs.ts')
    return prepareEagerLayers(layers, count)
  }
  const { prepareGraphLayers } = await import('./graph/layer_runs.ts')
  return prepareGraphLayers(layers, count, threads)
}
