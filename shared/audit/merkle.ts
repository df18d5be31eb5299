import { createHash } from 'node:crypto'
import { LaneTree } from '../lanes/lane_tree.ts'

/** First byte of what is hashed, so that no leaf can pass for an inner node. */
const LEAF = Buffer.of(0)
const NODE = Buffer.of(1)

/**
 * Computes the Merkle root over the digests of a step's lanes, along the lane tree: the hash of RFC 6962, whose trees have the same form.
 * @param digests digests in hexadecimal, in the order of lanes; at least one
 * @returns sha256 in hexadecimal
 */
export function merkleRoot(digests: readonly string[]): string {
  const { nodes } = new LaneTree(digests.length)
  const hashes = new Map<number, Buffer>()
  const hashOf = (id: number): Buffer => hashes.get(id) ?? Buffer.alloc(0)
  // Nodes are in preorder, so from the last to the first each comes after its children.
  for (const { id, begin, children } of nodes.toReversed()) {
    const hash = createHash('sha256')
    if (children === undefined) hash.update(LEAF).update(Buffer.from(digests[begin], 'hex'))
    else hash.update(NODE).update(hashOf(children[0])).update(hashOf(children[1]))
    hashes.set(id, hash.digest())
  }
  return hashOf(0).toString('hex')
}
