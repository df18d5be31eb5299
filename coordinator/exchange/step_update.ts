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
  /** Steps of the run that came before. */
  step: number
  /** Norm that the gradient is clipped to; null: it is not clipped, and each chunk is stepped as soon as its sum is known. */
  clip: number | null
  /** Takes the new weights of a range, a view of the model's memory, as soon as there are some. */
  broadcast?: (range: Range, weights: Float32Array) => void
  /** Seconds on a clock that only goes forward. */
  now: () => number
  onSpan?: SpanObserver
  chunkFloats?: number
  /** Rounds the sums over nodes of the tree. */
  round: RoundSum
  /** First element of the model's range in the whole vector. */
  origin?: number
  /** Gets values that are not needed any more, as they were given to `add`. */
  free?: (values: Float32Array) => void
}

/** What became of the sums of a step over a range of the vector. */
export interface RangeSums {
  /** Sum of squares of each chunk, in order; where the gradient is not finite, of some chunks. */
  squares: number[]
  /** First element of the range whose sum is NaN or infinite. */
  notFinite: number | undefined
  phases: PhaseSeconds
}

/** What a step came to, whoever computed its lanes. */
export type StepOutcome = Pick<StepResult, 'notFinite' | 'gradientNorm' | 'phases'>

/** What is to become of a step, once its gradient is known over the whole vector. */
export interface Verdict {
  /** The weights stay as they are: the gradient is not finite. */
  leaveOut: boolean
  /** Factor of the gradient; 1 where it is not clipped. */
  scale: number
}

interface Chunk {
  range: Range
  sum: ChunkSum
  /** Over all lanes, as long as it waits to be stepped. */
  gradient: Float32Array | undefined
}

/**
 * One step's way from partials to new weights, chunk by chunk: reduce, optimizer, broadcast. As soon as all partials of a chunk are in, its sum is
 * stepped and goes out, while other chunks are still on their way. A gradient that is clipped has to be known whole first: then sums are
 * kept until `settle`. From the first sum on that is not finite, none is stepped any more.
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
   * @param values is kept and overwritten, until it is free.
   * @throws ProtocolError when it is not exactly one of the vector's chunks.
   */
  add(node: number, offset: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => this.#add(node, offset, values))
  }

  /** Takes a whole partial. */
  addAll(node: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => {
      for (const { range } of this.#chunks) this.#add(node, range.begin, values.subarray(range.begin, range.end))
    })
  }

  /** Whether the sum of every chunk is known. */
  get complete(): boolean {
    return this.#incomplete === 0
  }

  /** All partials are in. What is not finite first is the same, in whatever order they came. */
  get sums(): RangeSums {
    return { squares: this.#squares.inOrder, notFinite: this.#notFinite, phases: this.#phases.seconds }
  }

  /**
   * Ends the step, whose sums are known: steps what waits for that, and the model takes the new weights as its own; or leaves the step out.
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

  /** All partials of the whole vector are in: the model takes the step, unless the gradient is not finite. */
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
 * Puts together what became of a step, of its ranges.
 * @param layout of the whole vector
 * @param samples images in the batch
 * @param ranges side by side, in the vector's order; `begin` is the first element of each
 */
export function outcomeOf(layout: Layout, samples: number, ranges: readonly { begin: number; sums: RangeSums }[]): StepOutcome {
  const first = ranges.find(({ sums }) => sums.notFinite !== undefined)
  return {
    notFinite: first === undefined ? undefined : parameterAt(layout, first.begin + (first.sums.notFinite ?? 0))?.name,
    gradientNorm: gradientNorm(ranges.flatMap(({ sums }) => sums.squares), samples),
    phases: slowestOf(ranges.map(({ sums }) => sums.phases)),
  }
}

/** @param clip norm that the gradient is clipped to; null: it is not clipped */
export function verdictOf({ notFinite, gradientNorm: norm }: Pick<StepOutcome, 'notFinite' | 'gradientNorm'>, clip: number | null): Verdict {
  if (notFinite !== undefined) return { leaveOut: true, scale: 1 }
  return { leaveOut: false, scale: clip === null ? 1 : clipScale(clip, norm) }
}
