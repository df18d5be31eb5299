import { kernelOptimizerMemory, type OptimizerMemory } from './adam_kernel.ts'
import type { Layout } from '../model/layout.ts'
import { adamStep, stepViews, type OptimizerState, type StepElements } from './adam.ts'

/**
 * The weights and the optimizer's moments. A step writes into a second state, range by range, while workers may still
 * need the first (a lane that must be computed again, a worker that joins); `commit` exchanges the two. What is read
 * is therefore always the state after a whole number of steps, also when a step is never finished.
 */
export class Model {
  readonly layout: Layout
  readonly #learningRate: number
  readonly #stepElements: StepElements
  #state: OptimizerState
  #next: OptimizerState

  /**
   * @param start where training begins; it is copied
   * @param memory where the states live
   */
  constructor(layout: Layout, learningRate: number, start: OptimizerState, memory: OptimizerMemory = kernelOptimizerMemory(layout.size) ?? plainOptimizerMemory(layout.size)) {
    this.layout = layout
    this.#learningRate = learningRate
    this.#stepElements = memory.stepElements
    ;[this.#state, this.#next] = memory.states
    this.#state.parameters.set(start.parameters)
    this.#state.m.set(start.m)
    this.#state.v.set(start.v)
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
    adamStep(this.layout, range, sum, samples, update, this.#learningRate, this.#state, this.#next, this.#stepElements)
    return this.#next.parameters.subarray(range.begin, range.end)
  }

  /** Every range has been stepped: the new state becomes the current one. */
  commit(): void {
    const old = this.#state
    this.#state = this.#next
    this.#next = old
  }
}

/** For a processor without the kernel, and as its oracle. */
export function plainOptimizerMemory(size: number): OptimizerMemory {
  return { states: [freshState(size), freshState(size)], stepElements: stepViews }
}

/** All zeros: what the moments begin with. */
export function freshState(size: number): OptimizerState {
  return { parameters: new Float32Array(size), m: new Float32Array(size), v: new Float32Array(size) }
}
