import type { Layout } from '../shared/network/layout.ts'
import { adamStep, type OptimizerState } from '../shared/train/adam.ts'

/**
 * The weights and the optimizer's moments. A step writes into a second state, range by range, while workers may still
 * need the first (a lane that must be computed again, a worker that joins); `commit` exchanges the two. What is read
 * is therefore always the state after a whole number of steps, also when a step is never finished.
 */
export class Model {
  readonly layout: Layout
  readonly #learningRate: number
  #state: OptimizerState
  #next: OptimizerState

  constructor(layout: Layout, learningRate: number, state: OptimizerState) {
    this.layout = layout
    this.#learningRate = learningRate
    this.#state = state
    this.#next = freshState(layout.size)
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
   * @param update number of this update, from 1
   * @returns the new weights of the range: a view
   */
  stepRange(range: { begin: number; end: number }, sum: Float32Array, samples: number, update: number): Float32Array {
    adamStep(this.layout, range, sum, samples, update, this.#learningRate, this.#state, this.#next)
    return this.#next.parameters.subarray(range.begin, range.end)
  }

  /** Every range has been stepped: the new state becomes the current one. */
  commit(): void {
    const old = this.#state
    this.#state = this.#next
    this.#next = old
  }
}

/** All zeros: what the moments begin with. */
export function freshState(size: number): OptimizerState {
  return { parameters: new Float32Array(size), m: new Float32Array(size), v: new Float32Array(size) }
}
