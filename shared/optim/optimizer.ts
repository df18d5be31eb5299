import type { z } from 'zod'

/** The state that a step changes: flat vectors of equal length in the layout's order. */
export interface OptimizerState {
  parameters: Float32Array
  /** Vectors that the optimizer keeps besides the parameters, in the order of `OptimizerDefinition.moments`. */
  moments: readonly Float32Array[]
}

/** The numbers of an update that are known when it begins. */
export interface UpdateNumbers {
  /** Number of images in the batch: the gradient is a sum over them. */
  samples: number
  /** Number of this update, from 1. */
  update: number
  /** Learning rate of this update. */
  rate: number
}

/** The numbers that a step needs besides vectors. */
export interface StepNumbers extends UpdateNumbers {
  /** Factor of the gradient, smaller than 1 if it is clipped; 1 leaves every bit as it is. */
  scale: number
}

/**
 * Inner loop of an optimizer over views of equal length. It exists twice with the same bits: the plain loop of each optimizer, and its kernel
 * for states in the kernel's memory.
 * @param sum gradient summed over the batch
 * @param from state before the step
 * @param to state after the step; may be `from`
 * @param coefficients result of `Optimizer.coefficients`
 */
export type StepElements = (sum: Float32Array, from: OptimizerState, to: OptimizerState, coefficients: Float32Array) => void

/** The definition of an optimizer in its file: everything that the rest of Herd needs to know of it. */
export interface OptimizerDefinition<Schema extends OptimizerSchema> {
  /** Schema of the options, strict and with defaults; `name` tells optimizers apart. */
  schema: Schema
  /** Names of the moments, in their order; tensors in checkpoints have the same names. */
  moments: readonly string[]
  /** Name of the WebAssembly kernel (shared/kernels/assembly) that does what `stepViews` does. */
  kernel: string
  /** Plain inner loop. Its views must begin at index 0: with an offset in the loop, V8 made it ten times as slow after some steps. */
  stepViews: StepElements
  /**
   * Computes the numbers that the inner loop multiplies and divides by, other than samples and scale, which come first in every optimizer.
   * @param decays true for parameters that weight decay applies to: kernels, not biases and norms
   */
  coefficients: (options: z.infer<Schema>, step: StepNumbers, decays: boolean) => readonly number[]
}
export type OptimizerSchema = z.ZodObject<{ name: z.ZodLiteral<string> }>

/** An optimizer with its options applied. */
export interface Optimizer extends Pick<OptimizerDefinition<OptimizerSchema>, 'moments' | 'kernel' | 'stepViews'> {
  name: string
  /** The optimizer that looks ahead in this one (lookahead.ts), whose moments are all but the last; undefined if this one does not. */
  base?: Optimizer
  /**
   * Computes the coefficients of one step.
   * @param decays true for parameters that weight decay applies to
   * @returns float32: samples, scale, and the optimizer's own
   */
  coefficients: (step: StepNumbers, decays: boolean) => Float32Array
}

/** An entry in the registry of optimizers (optimizers.ts). */
export interface OptimizerKind<Schema extends OptimizerSchema> {
  schema: Schema
  /**
   * Makes the optimizer from its options.
   * @throws ZodError if they do not fit the schema
   */
  of: (options: unknown) => Optimizer
}

/** Makes a registry entry from an optimizer's definition. */
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

/**
 * Creates a state of all zeros, which moments begin with.
 * @param size number of floats in each vector
 */
export function freshState({ moments }: Pick<Optimizer, 'moments'>, size: number): OptimizerState {
  return { parameters: new Float32Array(size), moments: moments.map(() => new Float32Array(size)) }
}

/** Copies a state; the copy does not change with it. */
export function copyOfState({ parameters, moments }: Readonly<OptimizerState>): OptimizerState {
  return { parameters: parameters.slice(), moments: moments.map((moment) => moment.slice()) }
}

/** Returns the elements begin <= i < end of a state, as views. */
export function viewOfState({ parameters, moments }: Readonly<OptimizerState>, { begin, end }: { begin: number; end: number }): OptimizerState {
  return { parameters: parameters.subarray(begin, end), moments: moments.map((moment) => moment.subarray(begin, end)) }
}
