import type { LayerWork } from '../model/flops.ts'
import type { Parameter } from '../model/layout.ts'
import type { Layer, Shape } from '../model/network.ts'

/** A layer by itself, to be computed again and again. */
export interface LoneLayer {
  name: string
  layer: Layer
  /** Shapes of one sample. */
  input: Shape
  output: Shape
  inputGradient: boolean
  parameters: readonly Parameter[]
}

/** The computations of a layer, for a lane of made-up values in training. */
export interface LayerRun {
  name: string
  forward: () => void
  /** Forward, and then the gradients of the parameters and, where it is needed, of the input. */
  forwardAndBackward: () => void
}

export interface LayerRuns {
  runs: readonly LayerRun[]
  /** Call of an engine that computes next to nothing: what any of the runs takes beside its layer. */
  nothing: () => void
  dispose: () => void
}

/** Takes a layer out of its network. What is inside a residual has places of its own, so that its sum alone is left of it. */
export function aloneOf({ placed: { name, layer, input, output }, inputGradient }: LayerWork, parameters: readonly Parameter[]): LoneLayer {
  if (layer.type === 'residual') return { name, layer: { type: 'residual', layers: [], shortcut: [] }, input: output, output, inputGradient, parameters: [] }
  return { name, layer, input, output, inputGradient, parameters: parameters.filter((parameter) => parameter.name === `${name}/${parameter.role}`) }
}

/** Makes up values between 0 and 1 that are not all alike; on what they are the time depends little. */
export function madeUp(shape: readonly number[]): Float32Array {
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => ((index * 7919) % 1009) / 1009)
}
