import type { EngineRequest } from '../engine/create.ts'
import type { Log } from '../kit/log.ts'
import type { LaneSettings } from '../lanes/lane_stack.ts'
import type { Network } from '../model/network.ts'
import type { Compute } from './compute.ts'
import { ComputeProcess } from './compute_process.ts'
import { LocalCompute } from './local_compute.ts'

/**
 * An engine for a program that computes by itself. Native TensorFlow gets a process of its own: it blocks the event loop
 * while it computes, and writes to standard error what no setting silences. wasm computes in this process.
 * @throws EngineError if the engine cannot be loaded.
 */
export async function startCompute(network: Network, settings: LaneSettings, request: EngineRequest, log: Log): Promise<Compute> {
  const compute = request.engine === 'wasm' ? await LocalCompute.start(network, settings, request) : await ComputeProcess.start(network, settings, request, { log })
  if (compute.note !== undefined) log.warn(compute.note)
  return compute
}
