import type { EngineInfo } from '../engine/engine.ts'
import { createFingerprinted, type EngineRequest, type FingerprintedEngine } from '../engine/create.ts'
import type { Engine } from '../engine/engine.ts'
import type { Network } from '../model/network.ts'
import { machineSeconds } from '../trace/span.ts'
import type { Compute } from './compute.ts'
import { LaneStack, type LaneSettings, type PreparedLane, type Stretch, type LaneSum } from '../lanes/lane_stack.ts'

/** `Compute` in this process, where wasm computes for a single node, an evaluation or a prediction. It blocks the event loop while it computes. */
export class LocalCompute implements Compute {
  readonly fingerprint: string
  readonly note: string | undefined
  readonly #engine: Engine
  readonly #stack: LaneStack

  private constructor({ engine, fingerprint, note }: FingerprintedEngine, stack: LaneStack) {
    this.#engine = engine
    this.fingerprint = fingerprint
    this.note = note
    this.#stack = stack
  }

  /** Compiles the network. @throws EngineError as `createEngine` does */
  static async start(network: Network, settings: LaneSettings, request: EngineRequest): Promise<LocalCompute> {
    const created = await createFingerprinted(network, request)
    return new LocalCompute(created, new LaneStack(created.engine, network, settings, machineSeconds))
  }

  get info(): EngineInfo {
    return this.#engine.info
  }

  setParameters(parameters: Float32Array): void {
    this.#engine.setParameters(parameters)
  }

  setFrozen(parameters: Float32Array): void {
    this.#engine.setFrozen(parameters)
  }

  push(lane: PreparedLane, node: number): Promise<Stretch> {
    return Promise.resolve(this.#stack.push(lane, node))
  }

  add(node: number): void {
    this.#stack.add(node)
  }

  take(): Promise<LaneSum> {
    return Promise.resolve(this.#stack.take())
  }

  clear(): Promise<void> {
    this.#stack.clear()
    return Promise.resolve()
  }

  logits(images: Uint8Array, count: number): Promise<Float32Array> {
    return Promise.resolve(this.#engine.logits(images, count))
  }

  close(): Promise<void> {
    this.#engine.dispose()
    return Promise.resolve()
  }
}
