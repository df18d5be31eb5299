import type { LaneTree } from './lane_tree.ts'
import { addInto } from './vectors.ts'

/**
 * The reduce of one chunk of the gradient vector: partials come in any order, are added along the lane tree, and give
 * the same bits as one process that computes every lane.
 */
export class ChunkSum {
  readonly #tree: LaneTree
  readonly #round: (sum: Float32Array, node: number) => void
  readonly #sums = new Map<number, Float32Array>()

  /** @param round rounds the sum over a node in place, where sums are compressed */
  constructor(tree: LaneTree, round: (sum: Float32Array, node: number) => void = () => undefined) {
    this.#tree = tree
    this.#round = round
  }

  /**
   * Takes one partial. What a node or any above it already covers is dropped: lanes that were computed again after a
   * failure carry the same bits, and count once.
   * @param values the partial's elements of this chunk; the sum keeps and overwrites them.
   * @returns the sum over all lanes, once the tree is complete.
   */
  add(nodeId: number, values: Float32Array): Float32Array | undefined {
    for (const node of this.#tree.lineage(nodeId)) if (this.#sums.has(node.id)) return undefined
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
      const other = this.#sums.get(id === left ? right : left)
      if (other === undefined) {
        this.#sums.set(id, sum)
        return undefined
      }
      sum = addInto(id === left ? sum : other, id === left ? other : sum)
      this.#round(sum, parent)
      id = parent
    }
  }

  #forgetBelow(id: number): void {
    for (const child of this.#tree.nodes[id].children ?? []) {
      this.#sums.delete(child)
      this.#forgetBelow(child)
    }
  }
}

/** Where the vector is cut for the wire: chunks of about 1 MiB. */
export const CHUNK_FLOATS = 262144

export function chunkRanges(size: number, chunkFloats = CHUNK_FLOATS): { begin: number; end: number }[] {
  const count = Math.ceil(size / chunkFloats)
  return Array.from({ length: count }, (_, i) => ({ begin: i * chunkFloats, end: Math.min(size, (i + 1) * chunkFloats) }))
}
