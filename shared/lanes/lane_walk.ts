import type { LaneTree } from './lane_tree.ts'

/** The next action on a stack of gradients (`LaneStack`). */
export type WalkStep =
  /** Computation of a lane, a leaf of the tree, whose gradient goes on top of the stack. */
  | { type: 'push'; lane: number; node: number }
  /** Addition of the two topmost entries, which gives the sum over a node. */
  | { type: 'add'; node: number }
  /** Removal of the topmost entry: its sum over a node is complete, and nothing still to come can be added to it. */
  | { type: 'take'; node: number }

/**
 * The walk through some lanes, from left to right, that ends in the fewest partials: the sums over the largest subtrees that these lanes cover
 * completely. Lanes that are not begun can be left out on the way; what has been summed until then becomes partials as it is.
 */
export class LaneWalk {
  readonly #tree: LaneTree
  readonly #leaves = new Map<number, number>()
  #ahead: number[]
  /** Nodes whose sums are on the stack: adjacent subtrees, from left to right. */
  readonly #stack: number[] = []

  /** @param lanes numbers of the lanes, in any order; duplicates count once */
  constructor(tree: LaneTree, lanes: Iterable<number>) {
    this.#tree = tree
    this.#ahead = [...new Set(lanes)].sort((a, b) => a - b)
    for (const { id, begin, children } of tree.nodes) if (children === undefined) this.#leaves.set(begin, id)
  }

  /** Number of lanes that are not begun. */
  get left(): number {
    return this.#ahead.length
  }

  /** Removes lanes from the walk, unless they are begun. */
  leaveOut(lanes: Iterable<number>): void {
    const unwanted = new Set(lanes)
    this.#ahead = this.#ahead.filter((lane) => !unwanted.has(lane))
  }

  /** Returns the next action, which the caller must carry out; undefined if nothing is left to do. */
  next(): WalkStep | undefined {
    const top = this.#stack.at(-1)
    if (top !== undefined) {
      const { parent } = this.#tree.nodes[top]
      const [left, right] = this.#tree.nodes[parent ?? top].children ?? []
      if (parent !== undefined && top === right && this.#stack.at(-2) === left) {
        this.#stack.splice(-2, 2, parent)
        return { type: 'add', node: parent }
      }
      if (top !== left || right === undefined || !this.#comesNext(right)) {
        this.#stack.pop()
        return { type: 'take', node: top }
      }
    }
    const lane = this.#ahead.shift()
    if (lane === undefined) return undefined
    const node = this.#leaves.get(lane) ?? 0
    this.#stack.push(node)
    return { type: 'push', lane, node }
  }

  /** True if all lanes of a node are still ahead. They then come next, since the node is to the right of the topmost one. */
  #comesNext(id: number): boolean {
    const { begin, end } = this.#tree.nodes[id]
    return this.#ahead[0] === begin && this.#ahead[end - begin - 1] === end - 1
  }
}
