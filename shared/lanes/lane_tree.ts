/**
 * The fixed binary tree over lanes. Float addition is not associative, so the tree, and not the cluster, decides in
 * which order lanes are added: whoever computed them, the root is the same to the last bit.
 */
export interface TreeNode {
  /** Place in `LaneTree.nodes`: what a partial is called on the wire. */
  id: number
  /** Lanes begin <= lane < end. */
  begin: number
  end: number
  parent: number | undefined
  /** Absent in a leaf, which is one lane. */
  children: readonly [number, number] | undefined
}

export class LaneTree {
  /** In preorder: the root is node 0. */
  readonly nodes: readonly TreeNode[]

  /** @param lanes at least 1. */
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

  /** The node itself and all above it, up to the root. */
  *lineage(id: number): Generator<TreeNode> {
    for (let at: number | undefined = id; at !== undefined; at = this.nodes[at].parent) yield this.nodes[at]
  }
}

function largestPowerOfTwoBelow(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}

/** Positions of a batch of `count` samples that belong to each lane: contiguous, in order, sizes differing by one at most; lanes of a short batch can be empty. */
export function laneRange(count: number, lanes: number, lane: number): { begin: number; end: number } {
  return { begin: Math.floor((lane * count) / lanes), end: Math.floor(((lane + 1) * count) / lanes) }
}
