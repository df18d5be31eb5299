import type { RoundSum } from '../../shared/compress/codec.ts'
import { parameterAt, type Layout } from '../../shared/model/layout.ts'
import type { SpanObserver } from '../../shared/trace/span.ts'
import { gradientNorm, GradientSquares } from '../../shared/optim/gradient_norm.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import type { StepResult } from '../contract/cluster.ts'
import type { Model } from '../../shared/optim/stepped_weights.ts'
import { StepPhases } from './step_phases.ts'
import { slowestOf, type PhaseSeconds } from '../contract/step_split.ts'
import { StepReduce, type Range } from './step_reduce.ts'

export interface StepUpdateParts {
  model: Model
  tree: LaneTree
  /** Steps of the run that came before. */
  step: number
  /** Images in the batch. */
  samples: number
  /** Number of this update of the optimizer, from 1. */
  update: number
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

/** One step's way from partials to new weights: reduce, Adam and broadcast, chunk by chunk. */
export class StepUpdate {
  readonly #parts: StepUpdateParts
  readonly #phases: StepPhases
  readonly #squares: GradientSquares
  readonly #reduce: StepReduce

  constructor(parts: StepUpdateParts) {
    const { model, tree, step, now, onSpan, chunkFloats, round, origin = 0, free } = parts
    this.#parts = parts
    this.#phases = new StepPhases(step, now, onSpan)
    this.#squares = new GradientSquares(model.layout)
    this.#reduce = new StepReduce(model.layout.size, tree, {
      onSum: (range, sum, squares) => this.#stepRange(range, sum, squares),
      round: (sum, begin, node) => round(sum, origin + begin, step, node),
      chunkFloats, free,
    })
  }

  /** Takes one chunk of a partial, as `StepReduce.add`. */
  add(node: number, offset: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => this.#reduce.add(node, offset, values))
  }

  /** Takes a whole partial. */
  addAll(node: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => this.#reduce.addAll(node, values))
  }

  /** Whether all partials are in. */
  get complete(): boolean {
    return this.#reduce.complete
  }

  /** All partials are in. The model has the next weights, but not as its own: where all is finite, it is to be committed. */
  get sums(): RangeSums {
    return { squares: this.#squares.inOrder, notFinite: this.#reduce.notFinite, phases: this.#phases.seconds }
  }

  /** All partials of the whole vector are in: the model takes the step, unless the gradient is not finite. */
  finish(): StepOutcome {
    const { model, samples } = this.#parts
    const outcome = outcomeOf(model.layout, samples, [{ begin: 0, sums: this.sums }])
    if (outcome.notFinite === undefined) model.commit()
    return outcome
  }

  #stepRange(range: Range, sum: Float32Array, squares: number): void {
    const { model, samples, update, broadcast } = this.#parts
    this.#squares.add(range, sum, squares)
    const weights = this.#phases.measure('adam', () => model.stepRange(range, sum, samples, update))
    if (broadcast !== undefined) this.#phases.measure('broadcast', () => broadcast(range, weights))
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
