import type { RoundSum } from '../../shared/compress/codec.ts'
import { ProtocolError } from '../../shared/kit/errors.ts'
import { ChunkSum } from '../../shared/lanes/chunk_sum.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import { parameterAt, type Layout } from '../../shared/model/layout.ts'
import { clipScale, gradientNorm, GradientSquares } from '../../shared/optim/gradient_norm.ts'
import type { UpdateNumbers } from '../../shared/optim/optimizer.ts'
import type { Model } from '../../shared/optim/stepped_weights.ts'
import type { SpanObserver } from '../../shared/trace/span.ts'
import { CHUNK_FLOATS, chunkRanges, type Range } from '../../shared/vectors/chunks.ts'
import { firstNotFinite } from '../../shared/vectors/finite.ts'
import { sumOfSquares } from '../../shared/vectors/vectors.ts'
import type { StepResult } from '../contract/cluster.ts'
import { NO_PHASES, slowestOf, sumOfPhases, type PhaseSeconds } from '../contract/step_split.ts'
import { StepPhases } from './step_phases.ts'

export interface StepUpdateParts extends UpdateNumbers {
  model: Model
  tree: LaneTree
  /** Number of steps taken before this one. */
  step: number
  /** Largest norm that the mean gradient may have. Null: it is not clipped, and each chunk is stepped as soon as its sum is known. */
  clip: number | null
  /** Receives the new weights of a range as soon as they are computed; a view of the model's memory. */
  broadcast?: (range: Range, weights: Float32Array) => void
  /** Seconds on a monotonic clock. */
  now: () => number
  onSpan?: SpanObserver
  chunkFloats?: number
  /** Rounds the gradient sum over each node of the lane tree, if gradients are compressed. */
  round: RoundSum
  /** Index in the whole vector of the model's first element; undefined means 0. */
  origin?: number
  /** Receives arrays that were given to `add` once they are not needed any more. */
  free?: (values: Float32Array) => void
}

/** The gradient of a step, summed over all lanes, in one range of the vector. */
export interface RangeSums {
  /** Sum of squares of the gradient in each chunk, in order; if the gradient is not finite, of some chunks only. */
  squares: number[]
  /** Index within the range of the first element that is NaN or infinite; undefined if there is none. */
  notFinite: number | undefined
  phases: PhaseSeconds
}

/** The part of a step's result that the reduction knows, without the reports of the lanes. */
export type StepOutcome = Pick<StepResult, 'notFinite' | 'gradientNorm' | 'phases'>

/** The decision about a step, taken once its gradient is known over the whole vector. */
export interface Verdict {
  /** True if the step is skipped and the weights stay as they are, because the gradient is not finite. */
  leaveOut: boolean
  /** Factor by which clipping scales the gradient; 1 if it is not clipped. */
  scale: number
}

interface Chunk {
  range: Range
  sum: ChunkSum
  /** Sum over all lanes, kept while it waits for `settle`. */
  gradient: Float32Array | undefined
}

/**
 * Turns the partials of one step into new weights, chunk by chunk: reduce, optimizer, broadcast. As soon as a chunk has all its
 * partials, it is stepped and sent, while others are still arriving. Clipping needs the norm of the whole gradient: the sums are then kept until
 * `settle`. After the first sum that is not finite, no further chunk is stepped.
 */
export class StepUpdate {
  readonly #parts: StepUpdateParts
  readonly #phases: StepPhases
  readonly #squares: GradientSquares
  readonly #chunkFloats: number
  readonly #chunks: Chunk[]
  #incomplete: number
  #notFinite: number | undefined

  constructor(parts: StepUpdateParts) {
    const { model, tree, step, now, onSpan, chunkFloats = CHUNK_FLOATS, round, origin = 0, free } = parts
    this.#parts = parts
    this.#phases = new StepPhases(step, now, onSpan)
    this.#squares = new GradientSquares(model.layout)
    this.#chunkFloats = chunkFloats
    this.#chunks = chunkRanges(model.layout.size, chunkFloats).map((range) => ({
      range,
      sum: new ChunkSum(tree, { round: (sum, node) => round(sum, origin + range.begin, step, node), ...(free === undefined ? {} : { free }) }),
      gradient: undefined,
    }))
    this.#incomplete = this.#chunks.length
  }

  /**
   * Takes one chunk of a partial; chunks that another attempt has delivered before are dropped.
   * @param node id of the partial's node in the lane tree
   * @param offset index of the chunk's first element in the model's vector
   * @param values kept and overwritten until `free` receives it
   * @throws ProtocolError if offset and length are not those of one of the vector's chunks
   */
  add(node: number, offset: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => this.#add(node, offset, values))
  }

  /** Takes a whole partial. @param values shape [parameters]; kept and overwritten */
  addAll(node: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => {
      for (const { range } of this.#chunks) this.#add(node, range.begin, values.subarray(range.begin, range.end))
    })
  }

  /** True if the sum of every chunk is known. */
  get complete(): boolean {
    return this.#incomplete === 0
  }

  /** Sums of a complete step. `notFinite` does not depend on the order in which partials came. */
  get sums(): RangeSums {
    return { squares: this.#squares.inOrder, notFinite: this.#notFinite, phases: this.#phases.seconds }
  }

  /**
   * Ends a complete step: steps the chunks that were kept for clipping and commits the new weights, or skips the step.
   * @returns seconds that this took
   */
  settle({ leaveOut, scale }: Verdict): PhaseSeconds {
    const { model, step, now, onSpan } = this.#parts
    if (leaveOut) return NO_PHASES
    const phases = new StepPhases(step, now, onSpan)
    const kept = this.#chunks.flatMap(({ range, gradient }) => (gradient === undefined ? [] : [{ range, gradient }]))
    if (kept.length > 0) {
      phases.measure('optimizer', () => {
        for (const { range, gradient } of kept) {
          const weights = model.stepRange(range, gradient, this.#numbers(scale))
          this.#broadcast(phases, range, weights)
        }
      })
    }
    model.commit()
    return phases.seconds
  }

  /** Ends a complete step whose model has the whole vector: commits the new weights, unless the gradient is not finite. */
  finish(): StepOutcome {
    const { model, samples, clip } = this.#parts
    const outcome = outcomeOf(model.layout, samples, [{ begin: 0, sums: this.sums }])
    return { ...outcome, phases: sumOfPhases(outcome.phases, this.settle(verdictOf(outcome, clip))) }
  }

  #add(node: number, offset: number, values: Float32Array): void {
    const { clip, free } = this.#parts
    const chunk = this.#chunks.at(offset / this.#chunkFloats)
    if (offset % this.#chunkFloats !== 0 || chunk === undefined || values.length !== chunk.range.end - chunk.range.begin) {
      throw new ProtocolError(`a gradient chunk of ${values.length} floats at ${offset} is none of the vector's chunks.`)
    }
    const { range } = chunk
    const sum = chunk.sum.add(node, values)
    if (sum === undefined) return
    this.#incomplete--
    const squares = sumOfSquares(sum)
    const place = Number.isFinite(squares) ? undefined : firstNotFinite(sum)
    if (place !== undefined) this.#notFinite = Math.min(range.begin + place, this.#notFinite ?? Number.POSITIVE_INFINITY)
    if (this.#notFinite === undefined) {
      this.#squares.add(range, sum, squares)
      if (clip === null) this.#stepNow(range, sum)
      else {
        chunk.gradient = sum
        return
      }
    }
    free?.(sum)
  }

  #stepNow(range: Range, sum: Float32Array): void {
    const weights = this.#phases.measure('optimizer', () => this.#parts.model.stepRange(range, sum, this.#numbers(1)))
    this.#broadcast(this.#phases, range, weights)
  }

  #numbers(scale: number): UpdateNumbers & { scale: number } {
    const { samples, update, rate } = this.#parts
    return { samples, update, rate, scale }
  }

  #broadcast(phases: StepPhases, range: Range, weights: Float32Array): void {
    const { broadcast } = this.#parts
    if (broadcast !== undefined) phases.measure('broadcast', () => broadcast(range, weights))
  }
}

/**
 * Combines the sums of all ranges into the outcome of a step.
 * @param layout layout of the whole vector
 * @param samples number of images in the batch
 * @param ranges adjacent ranges in the vector's order, each with the index `begin` of its first element
 */
export function outcomeOf(layout: Layout, samples: number, ranges: readonly { begin: number; sums: RangeSums }[]): StepOutcome {
  const first = ranges.find(({ sums }) => sums.notFinite !== undefined)
  return {
    notFinite: first === undefined ? undefined : parameterAt(layout, first.begin + (first.sums.notFinite ?? 0))?.name,
    gradientNorm: gradientNorm(ranges.flatMap(({ sums }) => sums.squares), samples),
    phases: slowestOf(ranges.map(({ sums }) => sums.phases)),
  }
}

/** Decides about a step. @param clip largest norm that the mean gradient may have; null: it is not clipped */
export function verdictOf({ notFinite, gradientNorm: norm }: Pick<StepOutcome, 'notFinite' | 'gradientNorm'>, clip: number | null): Verdict {
  if (notFinite !== undefined) return { leaveOut: true, scale: 1 }
  return { leaveOut: false, scale: clip === null ? 1 : clipScale(clip, norm) }
}
