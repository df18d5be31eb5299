/**
 * A node of the fixed binary tree over lanes. Float addition is not associative; because the tree, and not the cluster, decides the order in
 * which lanes are added, the root is the same to the last bit, whichever workers compute the lanes.
 */
export interface TreeNode {
  /** Index in `LaneTree.nodes`, and the partial's number on the wire. */
  id: number
  /** Range of the node's lanes: begin <= lane < end. */
  begin: number
  end: number
  parent: number | undefined
  /** Ids of the left and right child; undefined in a leaf, which is one lane. */
  children: readonly [number, number] | undefined
}

/** The lane tree. A node's left child covers the largest power of two of lanes that is smaller than the node's number of lanes. */
export class LaneTree {
  /** Nodes in preorder: the root is node 0. */
  readonly nodes: readonly TreeNode[]

  /** @param lanes number of lanes, at least 1 */
  constructor(lanes: number) {
    const nodes: TreeNode[] = []
    const grow = (begin: number, end: number, parent: number | undefined): number => {
      const id = nodes.length
      const node: TreeNode = { id, begin, end, parent, children: undefined }
      nodes.push(node)
      if (end - begin > 1) {
        const middle = begin + largestPowerOfTwoBelow(end - begin)
        node.children = [grow(begin, middle, id), grow(middle, end, id)]
      }
      return id
    }
    grow(0, lanes, undefined)
    this.nodes = nodes
  }

  /** Yields a node and all nodes above it, up to the root. */
  *lineage(id: number): Generator<TreeNode> {
    for (let at: number | undefined = id; at !== undefined; at = this.nodes[at].parent) yield this.nodes[at]
  }
}

function largestPowerOfTwoBelow(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}

/**
 * Returns the positions in a batch of `count` samples that belong to a lane, begin <= i < end. Lanes are contiguous and in order, and their
 * sizes differ by at most one; lanes of a short batch can be empty.
 */
export function laneRange(count: number, lanes: number, lane: number): { begin: number; end: number } {
  return { begin: Math.floor((lane * count) / lanes), end: Math.floor(((lane + 1) * count) / lanes) }
}
