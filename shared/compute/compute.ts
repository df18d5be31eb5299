import type { EngineInfo } from '../engine/engine.ts'
import type { Stretch, PreparedLane, LaneSum } from '../lanes/lane_stack.ts'

/** An engine and its lane stack, wherever they are: in this process, or in a compute process of its own. Calls take effect in order. */
export interface Compute {
  readonly info: EngineInfo
  readonly fingerprint: string
  /** What a person should know of how the engine came up. */
  readonly note: string | undefined
  /** Parameters of the lanes and images that follow. */
  setParameters(parameters: Float32Array): void
  /** Settles when the lane, a node of the lane tree, has been computed. @returns when that was, in seconds of the machine's clock (`machineSeconds`) */
  push(lane: PreparedLane, node: number): Promise<Stretch>
  add(node: number): void
  take(): Promise<LaneSum>
  /** Forgets what was pushed and not taken. @returns settles when that is done, and all that came before */
  clear(): Promise<void>
  /** @returns float32 [count, classes] */
  logits(images: Uint8Array, count: number): Promise<Float32Array>
  close(): Promise<void>
}
