import { parameterAt } from '../shared/network/layout.ts'
import type { SpanObserver } from '../shared/trace/span.ts'
import { GradientNorm } from '../shared/train/gradient_norm.ts'
import type { LaneTree } from '../shared/train/lane_tree.ts'
import type { StepResult } from './cluster.ts'
import type { Model } from './model.ts'
import { StepPhases } from './step_phases.ts'
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
}

/** One step's way from partials to new weights: reduce, Adam and broadcast, chunk by chunk. */
export class StepUpdate {
  readonly #parts: StepUpdateParts
  readonly #phases: StepPhases
  readonly #norm: GradientNorm
  readonly #reduce: StepReduce

  constructor(parts: StepUpdateParts) {
    const { model, tree, step, now, onSpan, chunkFloats } = parts
    this.#parts = parts
    this.#phases = new StepPhases(step, now, onSpan)
    this.#norm = new GradientNorm(model.layout)
    this.#reduce = new StepReduce(model.layout.size, tree, (range, sum) => this.#stepRange(range, sum), chunkFloats)
  }

  /** Takes one chunk of a partial, as `StepReduce.add`. */
  add(node: number, offset: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => this.#reduce.add(node, offset, values))
  }

  /** Takes a whole partial. */
  addAll(node: number, values: Float32Array): void {
    this.#phases.measure('reduce', () => this.#reduce.addAll(node, values))
  }

  /** All partials are in: the model takes the step, unless the gradient is not finite. */
  finish(): Omit<StepResult, 'lanes' | 'computedBy'> {
    const { model, samples } = this.#parts
    const { notFinite } = this.#reduce
    if (notFinite === undefined) model.commit()
    return { notFinite: parameterAt(model.layout, notFinite)?.name, gradientNorm: this.#norm.over(samples), phases: this.#phases.seconds }
  }

  #stepRange(range: Range, sum: Float32Array): void {
    const { model, samples, update, broadcast } = this.#parts
    this.#norm.add(range, sum)
    const weights = this.#phases.measure('adam', () => model.stepRange(range, sum, samples, update))
    if (broadcast !== undefined) this.#phases.measure('broadcast', () => broadcast(range, weights))
  }
}
