import type { z } from 'zod'

/** What a step changes: flat vectors of equal length in the layout's order. */
export interface OptimizerState {
  parameters: Float32Array
  /** What the optimizer keeps of each parameter, as many vectors as it names moments. */
  moments: readonly Float32Array[]
}

/** What is known of an update when it begins. */
export interface UpdateNumbers {
  /** Images in the batch: the gradient comes as a sum over them. */
  samples: number
  /** Number of this update, from 1. */
  update: number
  /** Learning rate of this update. */
  rate: number
}

/** Numbers that a step needs besides vectors. */
export interface StepNumbers extends UpdateNumbers {
  /** Factor of the gradient, which clipping makes smaller; 1 leaves every bit as it is. */
  scale: number
}

/**
 * Inner loop of an optimizer over views of equal length. Two loops do the same, with the same bits: the plain one of each optimizer, and
 * its kernel, for states in the kernel's memory.
 * @param sum gradient summed over the batch
 * @param from state before the step
 * @param to state after the step; may be `from`
 * @param coefficients what `Optimizer.coefficients` gives
 */
export type StepElements = (sum: Float32Array, from: OptimizerState, to: OptimizerState, coefficients: Float32Array) => void

/** An optimizer as its file defines it: all that the rest of Herd needs to know of it. */
export interface OptimizerDefinition<Schema extends OptimizerSchema> {
  /** Options, strict and with defaults; `name` tells optimizers apart. */
  schema: Schema
  /** Names of the moments, in their order: also those of tensors in checkpoints. */
  moments: readonly string[]
  /** Name of the WebAssembly kernel (shared/kernels/assembly) that does what `stepViews` does. */
  kernel: string
  /** Plain inner loop, on views that begin at 0: V8 made a loop with an offset ten times as slow after some steps. */
  stepViews: StepElements
  /**
   * What the inner loop multiplies and divides by, besides the two that each begins with: samples and scale.
   * @param decays whether the parameters are ones that weight decay is for: kernels, not biases and norms
   */
  coefficients: (options: z.infer<Schema>, step: StepNumbers, decays: boolean) => readonly number[]
}
export type OptimizerSchema = z.ZodObject<{ name: z.ZodLiteral<string> }>

/** An optimizer with its options. */
export interface Optimizer extends Pick<OptimizerDefinition<OptimizerSchema>, 'moments' | 'kernel' | 'stepViews'> {
  name: string
  /** @returns as float32: samples, scale, and the optimizer's own */
  coefficients: (step: StepNumbers, decays: boolean) => Float32Array
}

/** An optimizer of the registry (optimizers.ts). */
export interface OptimizerKind<Schema extends OptimizerSchema> {
  schema: Schema
  /** @param options of this optimizer @throws ZodError when they are not */
  of: (options: unknown) => Optimizer
}

/** Makes an optimizer known by its definition. */
export function defineOptimizer<Schema extends OptimizerSchema>({ schema, moments, kernel, stepViews, coefficients }: OptimizerDefinition<Schema>): OptimizerKind<Schema> {
  return {
    schema,
    of: (given) => {
      const options = schema.parse(given)
      return {
        name: options.name, moments, kernel, stepViews,
        coefficients: (step, decays) => new Float32Array([step.samples, step.scale, ...coefficients(options, step, decays)]),
      }
    },
  }
}

/** A state of all zeros: what moments begin with. */
export function freshState({ moments }: Pick<Optimizer, 'moments'>, size: number): OptimizerState {
  return { parameters: new Float32Array(size), moments: moments.map(() => new Float32Array(size)) }
}

/** A copy that does not change with the state. */
export function copyOfState({ parameters, moments }: Readonly<OptimizerState>): OptimizerState {
  return { parameters: parameters.slice(), moments: moments.map((moment) => moment.slice()) }
}

/** Elements begin <= i < end of a state: views. */
export function viewOfState({ parameters, moments }: Readonly<OptimizerState>, { begin, end }: { begin: number; end: number }): OptimizerState {
  return { parameters: parameters.subarray(begin, end), moments: moments.map((moment) => moment.subarray(begin, end)) }
}
