import type { LaneTree } from './lane_tree.ts'

/** What to do next with a stack of gradients. */
export type WalkStep =
  /** Compute a lane, which is a leaf of the tree, and put its gradient on top. */
  | { type: 'push'; lane: number; node: number }
  /** Add the two on top: what comes of them is the sum over a node. */
  | { type: 'add'; node: number }
  /** Take the sum over a node of the tree from the top: it is complete, and nothing that is to come can be added to it. */
  | { type: 'take'; node: number }

/**
 * The way through some lanes, from left to right, that ends in the fewest partials: the sums over the largest subtrees
 * that are complete in these lanes. Lanes that are not begun can be left out on the way; what has been summed then
 * comes out as it is.
 */
export class LaneWalk {
  readonly #tree: LaneTree
  readonly #leaves = new Map<number, number>()
  #ahead: number[]
  /** Nodes whose sums are on the stack: subtrees side by side, from left to right. */
  readonly #stack: number[] = []

  constructor(tree: LaneTree, lanes: Iterable<number>) {
    this.#tree = tree
    this.#ahead = [...new Set(lanes)].sort((a, b) => a - b)
    for (const { id, begin, children } of tree.nodes) if (children === undefined) this.#leaves.set(begin, id)
  }

  /** How many lanes are not begun. */
  get left(): number {
    return this.#ahead.length
  }

  /** Leaves out lanes that are not begun. */
  leaveOut(lanes: Iterable<number>): void {
    const unwanted = new Set(lanes)
    this.#ahead = this.#ahead.filter((lane) => !unwanted.has(lane))
  }

  /** @returns undefined when nothing is left to do */
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

  /** True when all lanes of a node are ahead; they then come next, since it stands right of the top. */
  #comesNext(id: number): boolean {
    const { begin, end } = this.#tree.nodes[id]
    return this.#ahead[0] === begin && this.#ahead[end - begin - 1] === end - 1
  }
}
