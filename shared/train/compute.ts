import type { EngineInfo } from '../engine/engine.ts'
import type { LaneTree } from './lane_tree.ts'
import type { Partial, PreparedLane } from './lane_stack.ts'

/** An engine and its lane stack, wherever they are: in this process, or in a compute process of its own. Calls take effect in order. */
export interface Compute {
  readonly info: EngineInfo
  readonly fingerprint: string
  /** What a person should know of how the engine came up. */
  readonly note: string | undefined
  /** Parameters of the lanes and images that follow. */
  setParameters(parameters: Float32Array): void
  push(lane: PreparedLane): void
  add(): void
  take(): Promise<Partial>
  /** @returns float32 [count, classes] */
  logits(images: Uint8Array, count: number): Promise<Float32Array>
  close(): Promise<void>
}

/**
 * Feeds one node of the lane tree to the engine: its lanes from left to right, added as the tree says. Settles when all
 * is fed, so that the next node can follow while the engine still computes; `partial` settles when it has.
 * @param prepare supplies a lane's samples; a lane is asked for when it is its turn.
 */
export async function feedPartial(compute: Compute, tree: LaneTree, node: number, prepare: (lane: number) => Promise<PreparedLane>): Promise<{ partial: Promise<Partial> }> {
  const descend = async (id: number): Promise<void> => {
    const { begin, children } = tree.nodes[id]
    if (children === undefined) return compute.push(await prepare(begin))
    await descend(children[0])
    await descend(children[1])
    compute.add()
  }
  await descend(node)
  return { partial: compute.take() }
}
