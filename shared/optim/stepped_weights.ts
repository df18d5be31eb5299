import type { Layout } from '../model/layout.ts'
import type { Range } from '../vectors/chunks.ts'
import type { Optimizer, OptimizerState, StepElements, StepNumbers } from './optimizer.ts'
import { kernelOptimizerMemory, plainOptimizerMemory, type OptimizerMemory } from './optimizer_memory.ts'
import { stepRange } from './step_range.ts'

/**
 * The weights and the optimizer's moments. A step writes into a second state, range by range, while workers may still
 * need the first (a lane that must be computed again, a worker that joins); `commit` exchanges the two. What is read
 * is therefore always the state after a whole number of steps, also when a step is never finished.
 */
export class Model {
  readonly layout: Layout
  readonly optimizer: Optimizer
  readonly #stepElements: StepElements
  #state: OptimizerState
  #next: OptimizerState

  /**
   * @param start where training begins, with as many moments as the optimizer has; it is copied
   * @param memory where the states live
   */
  constructor(layout: Layout, optimizer: Optimizer, start: OptimizerState, memory: OptimizerMemory = kernelOptimizerMemory(optimizer, layout.size) ?? plainOptimizerMemory(optimizer, layout.size)) {
    this.layout = layout
    this.optimizer = optimizer
    this.#stepElements = memory.stepElements
    ;[this.#state, this.#next] = memory.states
    this.#state.parameters.set(start.parameters)
    this.#state.moments.forEach((moment, index) => moment.set(start.moments[index]))
  }

  get state(): Readonly<OptimizerState> {
    return this.#state
  }

  /** The weights that this step's gradients are computed with. */
  get parameters(): Float32Array {
    return this.#state.parameters
  }

  /**
   * Applies the optimizer to one range.
   * @param sum gradient over the whole batch, of this range
   * @returns the new weights of the range: a view
   */
  stepRange(range: Range, sum: Float32Array, step: StepNumbers): Float32Array {
    stepRange(this.layout, this.optimizer, { range, sum, step, from: this.#state, to: this.#next }, this.#stepElements)
    return this.#next.parameters.subarray(range.begin, range.end)
  }

  /** Every range has been stepped: the new state becomes the current one. */
  commit(): void {
    const old = this.#state
    this.#state = this.#next
    this.#next = old
  }
}
