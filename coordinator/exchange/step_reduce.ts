import { ProtocolError } from '../../shared/kit/errors.ts'
import { ChunkSum } from '../../shared/lanes/chunk_sum.ts'
import { CHUNK_FLOATS, chunkRanges } from '../../shared/vectors/chunks.ts'
import { firstNotFinite } from '../../shared/vectors/finite.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import { sumOfSquares } from '../../shared/vectors/vectors.ts'

export interface Range {
  begin: number
  end: number
}

export interface StepReduceParts {
  /** Gets the sum of a chunk, and the sum of its squares. */
  onSum: (range: Range, sum: Float32Array, squares: number) => void
  chunkFloats?: number | undefined
  /** Rounds the sum over a node from an element on, in place. */
  round?: (sum: Float32Array, begin: number, node: number) => void
  /** Gets values that are not needed any more, as they were given to `add`. */
  free?: ((values: Float32Array) => void) | undefined
}

/**
 * The all-reduce of one step, chunk by chunk: as soon as all partials of a chunk are in, its sum goes on to the
 * optimizer, while other chunks are still on their way. From the first sum on that is not finite, none goes on any more.
 */
export class StepReduce {
  readonly #chunks: { range: Range; sum: ChunkSum }[]
  readonly #chunkFloats: number
  readonly #onSum: (range: Range, sum: Float32Array, squares: number) => void
  readonly #free: ((values: Float32Array) => void) | undefined
  #notFinite: number | undefined
  #incomplete: number

  constructor(size: number, tree: LaneTree, { onSum, chunkFloats = CHUNK_FLOATS, round, free }: StepReduceParts) {
    this.#chunkFloats = chunkFloats
    this.#chunks = chunkRanges(size, chunkFloats).map((range) => ({
      range,
      sum: new ChunkSum(tree, { ...(round === undefined ? {} : { round: (sum, node) => round(sum, range.begin, node) }), ...(free === undefined ? {} : { free }) }),
    }))
    this.#incomplete = this.#chunks.length
    this.#onSum = onSum
    this.#free = free
  }

  /** First element of the vector whose sum is NaN or infinite: the same, once all is in, in whatever order it came. */
  get notFinite(): number | undefined {
    return this.#notFinite
  }

  /** Whether the sum of every chunk is known. */
  get complete(): boolean {
    return this.#incomplete === 0
  }

  /**
   * Takes one chunk of a partial; chunks that another attempt has delivered before are dropped.
   * @param values is kept and overwritten, until it is free.
   * @throws ProtocolError when it is not exactly one of the vector's chunks.
   */
  add(node: number, offset: number, values: Float32Array): void {
    const chunk = this.#chunks.at(offset / this.#chunkFloats)
    if (offset % this.#chunkFloats !== 0 || chunk === undefined || values.length !== chunk.range.end - chunk.range.begin) {
      throw new ProtocolError(`a gradient chunk of ${values.length} floats at ${offset} is none of the vector's chunks.`)
    }
    const sum = chunk.sum.add(node, values)
    if (sum === undefined) return
    this.#incomplete--
    const squares = sumOfSquares(sum)
    const place = Number.isFinite(squares) ? undefined : firstNotFinite(sum)
    if (place !== undefined) this.#notFinite = Math.min(chunk.range.begin + place, this.#notFinite ?? Number.POSITIVE_INFINITY)
    if (this.#notFinite === undefined) this.#onSum(chunk.range, sum, squares)
    this.#free?.(sum)
  }

  /** Takes a whole partial. */
  addAll(node: number, values: Float32Array): void {
    for (const { range } of this.#chunks) this.add(node, range.begin, values.subarray(range.begin, range.end))
  }
}
