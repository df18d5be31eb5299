import type { Layout } from '../model/layout.ts'
import type { Range } from '../vectors/chunks.ts'
import type { Optimizer, OptimizerState, StepElements, StepNumbers } from './optimizer.ts'
import { kernelOptimizerMemory, plainOptimizerMemory, type OptimizerMemory } from './optimizer_memory.ts'
import { stepRange } from './step_range.ts'

/**
 * The weights and the optimizer's moments. A step writes into a second state, range by range, while workers may still need the first one (to
 * compute a lane again, or to join); `commit` exchanges the two. Readers therefore always see the state after a whole number of steps, even if a
 * step is never finished.
 */
export class Model {
  readonly layout: Layout
  readonly optimizer: Optimizer
  readonly #stepElements: StepElements
  #state: OptimizerState
  #next: OptimizerState

  /**
   * @param start initial state, with as many moments as the optimizer has; it is copied
   * @param memory memory of the two states; by default the kernel's, if there is one
   */
  constructor(layout: Layout, optimizer: Optimizer, start: OptimizerState, memory: OptimizerMemory = kernelOptimizerMemory(optimizer, layout.size) ?? plainOptimizerMemory(optimizer, layout.size)) {
    this.layout = layout
    this.optimizer = optimizer
    this.#stepElements = memory.stepElements
    ;[this.#state, this.#next] = memory.states
    this.restore(start)
  }

  /** Goes on from another state, between two steps. @param state with as many moments as the optimizer has; it is copied */
  restore({ parameters, moments }: OptimizerState): void {
    this.#state.parameters.set(parameters)
    this.#state.moments.forEach((moment, index) => moment.set(moments[index]))
  }

  get state(): Readonly<OptimizerState> {
    return this.#state
  }

  /** Weights that the current step's gradients are computed with. */
  get parameters(): Float32Array {
    return this.#state.parameters
  }

  /**
   * Applies the optimizer to one range of the vector.
   * @param sum gradient of this range, summed over the whole batch
   * @returns the new weights of the range, as a view
   */
  stepRange(range: Range, sum: Float32Array, step: StepNumbers): Float32Array {
    stepRange(this.layout, this.optimizer, { range, sum, step, from: this.#state, to: this.#next }, this.#stepElements)
    return this.#next.parameters.subarray(range.begin, range.end)
  }

  /** Makes the new state the current one. Every range must have been stepped. */
  commit(): void {
    const old = this.#state
    this.#state = this.#next
    this.#next = old
  }
}
