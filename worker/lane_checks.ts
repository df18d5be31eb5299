import type { Compute } from '../shared/compute/compute.ts'
import type { InputPipeline } from '../shared/data/input_pipeline.ts'
import { ProtocolError } from '../shared/kit/errors.ts'
import type { LaneTree } from '../shared/lanes/lane_tree.ts'
import { LaneWalk } from '../shared/lanes/lane_walk.ts'
import { PartialDigest } from '../shared/lanes/partial_digest.ts'
import { firstNotFinite } from '../shared/vectors/finite.ts'
import type { Check, Checked } from '../shared/wire/messages.ts'

export interface LaneChecksParts {
  tree: LaneTree
  /** Number of floats in the gradient vector. */
  size: number
  input: Pick<InputPipeline, 'lane' | 'prefetch'>
  compute: Compute
  /** Copies the weights of a version; 'gone' if they are here no more, undefined if they are still to come. */
  copyOfWeights: (version: number) => Float32Array | 'gone' | undefined
  /** Gives the engine weights of a version. */
  setParameters: (version: number, parameters: Float32Array) => void
}

interface Waiting {
  check: Check
  lanes: number[]
  /** Copy of the weights of the check's step. */
  parameters: Float32Array | 'gone' | undefined
}

/**
 * Checks that a worker has been asked for: it computes lanes which another worker has computed before, and tells digests of their sum, which the
 * coordinator compares. The worker does so when it has no lane of its own to compute, and before those of a later step.
 */
export class LaneChecks {
  readonly #parts: LaneChecksParts
  #waiting: Waiting[] = []

  constructor(parts: LaneChecksParts) {
    this.#parts = parts
  }

  /** True if a check could be answered now. */
  get any(): boolean {
    return this.#waiting.some(({ parameters }) => parameters !== undefined)
  }

  /** True if a check of an earlier step could be answered now. */
  hasBefore(step: number): boolean {
    return this.#waiting.some(({ check, parameters }) => parameters !== undefined && check.step < step)
  }

  /** Notes that a version of the weights is complete. */
  weightsCame(): void {
    for (const waiting of this.#waiting) waiting.parameters ??= this.#parts.copyOfWeights(waiting.check.step)
  }

  /**
   * Takes a check, and keeps a copy of its weights, which later ones overwrite.
   * @throws ProtocolError if it names a node or parts that the run does not have
   */
  add(check: Check): void {
    const { tree, size, input, copyOfWeights } = this.#parts
    const node = tree.nodes.at(check.node)
    if (node === undefined) throw new ProtocolError(`the coordinator asks for a check of node ${check.node}, which is not of this run`)
    if (check.parts.some(({ begin, floats }) => begin + floats > size)) throw new ProtocolError(`the coordinator asks for a check beyond ${size} parameters`)
    const lanes = Array.from({ length: node.end - node.begin }, (_, i) => node.begin + i)
    const parameters = copyOfWeights(check.step)
    if (parameters !== 'gone') input.prefetch(check, lanes)
    this.#waiting.push({ check, lanes, parameters })
  }

  /** Computes the first check whose weights are here, or are gone. @returns its answer; undefined if there is none */
  async next(): Promise<Checked | undefined> {
    const waiting = this.#waiting.find(({ parameters }) => parameters !== undefined)
    if (waiting?.parameters === undefined) return undefined
    this.#waiting = this.#waiting.filter((each) => each !== waiting)
    const { check: { id, step, key, parts }, parameters } = waiting
    if (parameters === 'gone') return { id, key, digests: [], notFinite: false, gone: true }
    this.#parts.setParameters(step, parameters)
    const sum = await this.#sumOf(waiting)
    return { id, key, digests: parts.map(({ begin, floats }) => digestOf(key, sum.subarray(begin, begin + floats))), notFinite: firstNotFinite(sum) !== undefined, gone: false }
  }

  async #sumOf({ check, lanes }: Waiting): Promise<Float32Array> {
    const { tree, input, compute } = this.#parts
    const walk = new LaneWalk(tree, lanes)
    for (;;) {
      const next = walk.next()
      if (next?.type === 'push') await compute.push(await input.lane(check, next.lane), next.node)
      else if (next?.type === 'add') compute.add(next.node)
      // The lanes are all those under a node, so their walk takes one sum, at its end.
      else return (await compute.take()).values
    }
  }
}

function digestOf(key: string, values: Float32Array): string {
  const digest = new PartialDigest(key)
  digest.add(values)
  return digest.end()
}
