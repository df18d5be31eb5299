import type { OptimizerState, StepElements } from './adam.ts'
import { CHUNK_FLOATS } from '../vectors/chunks.ts'
import { loadKernel } from '../kernels/kernel.ts'

interface AdamFunctions {
  step(
    count: number, sum: number, parameters: number, m: number, v: number, parametersNext: number, mNext: number, vNext: number,
    beta1: number, rest1: number, beta2: number, rest2: number, stepSize: number, correction: number, epsilon: number, samples: number,
  ): void
}

/** Two states of an optimizer, and what steps the elements of one into the other. */
export interface OptimizerMemory {
  states: readonly [OptimizerState, OptimizerState]
  stepElements: StepElements
}

/**
 * States, all zeros, that live in the kernel's memory for good: a step copies nothing in but the gradient, a chunk at a time.
 * The memory never grows, so views of it stay good.
 * @param size floats of each vector
 * @returns undefined where there is no kernel: see `loadKernel`.
 */
export function kernelOptimizerMemory(size: number): OptimizerMemory | undefined {
  const kernel = loadKernel<AdamFunctions>('adam', (6 * size + CHUNK_FLOATS) * Float32Array.BYTES_PER_ELEMENT)
  if (kernel === undefined) return undefined
  const { functions, memory } = kernel
  let used = 0
  const allocate = (length: number): Float32Array => {
    const vector = new Float32Array(memory.buffer, used, length)
    used += vector.byteLength
    return vector
  }
  const state = (): OptimizerState => ({ parameters: allocate(size), m: allocate(size), v: allocate(size) })
  const chunk = allocate(CHUNK_FLOATS)
  return {
    states: [state(), state()],
    stepElements: (sum, from, to, coefficients) => {
      const [beta1, rest1, beta2, rest2, stepSize, correction, epsilon, samples] = coefficients
      for (let begin = 0; begin < sum.length; begin += CHUNK_FLOATS) {
        const part = sum.subarray(begin, begin + CHUNK_FLOATS)
        chunk.set(part)
        const at = (vector: Float32Array): number => vector.byteOffset + begin * Float32Array.BYTES_PER_ELEMENT
        functions.step(
          part.length, chunk.byteOffset, at(from.parameters), at(from.m), at(from.v), at(to.parameters), at(to.m), at(to.v),
          beta1, rest1, beta2, rest2, stepSize, correction, epsilon, samples,
        )
      }
    },
  }
}
