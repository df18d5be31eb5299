import type { EngineInfo } from '../engine/engine.ts'
import type { Stretch, PreparedLane, LaneSum } from '../lanes/lane_stack.ts'

/** An engine and its lane stack, in this process or in a compute process of their own. Calls take effect in the order in which they are made. */
export interface Compute {
  readonly info: EngineInfo
  /** Numerics fingerprint of the engine on this machine. */
  readonly fingerprint: string
  /** Message for the user about how the engine started, e.g. that no GPU was found. */
  readonly note: string | undefined
  /** Sets the parameters with which the following lanes and images are computed. @param parameters flat vector in the order of the network's layout */
  setParameters(parameters: Float32Array): void
  /** Sets the frozen parameters of a network that has some, before anything is computed. @param parameters flat vector of `frozenLayoutOf` */
  setFrozen(parameters: Float32Array): void
  /**
   * Computes a lane's gradient and pushes it on the stack.
   * @param node index of the lane in the lane tree
   * @returns begin and end of the computation, in seconds of the machine's clock (`machineSeconds`), once it is done
   */
  push(lane: PreparedLane, node: number): Promise<Stretch>
  /** Replaces the two topmost sums on the stack by their sum. @param node index in the lane tree of the node that this sum covers */
  add(node: number): void
  /** Takes the topmost sum from the stack. */
  take(): Promise<LaneSum>
  /** Empties the stack. Settles when this and all earlier calls have taken effect. */
  clear(): Promise<void>
  /** Computes logits. @param images uint8 [count, imageSize, imageSize, 3] @returns float32 [count, classes] */
  logits(images: Uint8Array, count: number): Promise<Float32Array>
  /** Disposes of the engine, and ends its process if it has one of its own. */
  close(): Promise<void>
}
