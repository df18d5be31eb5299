import type { LaneTree } from './lane_tree.ts'
import { addInto } from '../vectors/vectors.ts'

/**
 * The reduction of one chunk of the gradient vector. Partials come in any order and are added along the lane tree, so the result has the same
 * bits as in one process that computes every lane.
 */
export class ChunkSum {
  readonly #tree: LaneTree
  readonly #round: (sum: Float32Array, node: number) => void
  readonly #free: (values: Float32Array) => void
  readonly #sums = new Map<number, Float32Array>()

  /**
   * @param tree the run's tree over lanes
   * @param round rounds the sum over a node in place, if sums are compressed
   * @param free receives values that are no longer needed: the same arrays that were given to `add`
   */
  constructor(tree: LaneTree, { round = () => undefined, free = () => undefined }: { round?: (sum: Float32Array, node: number) => void; free?: (values: Float32Array) => void } = {}) {
    this.#tree = tree
    this.#round = round
    this.#free = free
  }

  /**
   * Takes one partial. It is dropped if its node or one above it is covered already: lanes that were computed again after a failure have the
   * same bits, and count once.
   * @param nodeId node of the lane tree that the partial sums over
   * @param values the partial's elements of this chunk; they are overwritten, until `free` receives them
   * @returns the sum over all lanes once the tree is complete, else undefined
   */
  add(nodeId: number, values: Float32Array): Float32Array | undefined {
    for (const node of this.#tree.lineage(nodeId)) {
      if (!this.#sums.has(node.id)) continue
      this.#free(values)
      return undefined
    }
    let id = nodeId
    let sum = values
    for (;;) {
      this.#forgetBelow(id)
      const parent = this.#tree.nodes[id].parent
      if (parent === undefined) {
        this.#sums.set(id, sum)
        return sum
      }
      const [left, right] = this.#tree.nodes[parent].children ?? [id, id]
      const sibling = id === left ? right : left
      const other = this.#sums.get(sibling)
      if (other === undefined) {
        this.#sums.set(id, sum)
        return undefined
      }
      this.#sums.delete(sibling)
      const added = id === left ? other : sum
      sum = addInto(id === left ? sum : other, added)
      this.#free(added)
      this.#round(sum, parent)
      id = parent
    }
  }

  #forgetBelow(id: number): void {
    for (const child of this.#tree.nodes[id].children ?? []) {
      const forgotten = this.#sums.get(child)
      if (forgotten !== undefined) this.#free(forgotten)
      this.#sums.delete(child)
      this.#forgetBelow(child)
    }
  }
}
