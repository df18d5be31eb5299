import { loadKernel } from '../kernels/kernel.ts'
import { CHUNK_FLOATS } from '../vectors/chunks.ts'
import { freshState, type Optimizer, type OptimizerState, type StepElements } from './optimizer.ts'

/** Two states of an optimizer, and what steps the elements of one into the other. */
export interface OptimizerMemory {
  states: readonly [OptimizerState, OptimizerState]
  stepElements: StepElements
}

/** What every optimizer's kernel has. */
interface StepFunctions {
  /**
   * Steps elements of vectors that may begin anywhere.
   * @param sum address of the gradient
   * @param vectors address of the addresses: parameters and moments of the old state, then those of the new one, which may be the old one's
   * @param coefficients address of the coefficients, float32
   */
  step(count: number, sum: number, vectors: number, coefficients: number): void
}

const MAX_COEFFICIENTS = 16

/**
 * States, all zeros, that live in the kernel's memory for good: a step copies nothing in but the gradient, a chunk at a time.
 * The memory never grows, so views of it stay good.
 * @param size floats of each vector
 * @returns undefined where there is no kernel: see `loadKernel`.
 */
export function kernelOptimizerMemory({ kernel: name, moments }: Optimizer, size: number): OptimizerMemory | undefined {
  const addressCount = 2 * (1 + moments.length)
  const kernel = loadKernel<StepFunctions>(name, (addressCount * size + CHUNK_FLOATS + addressCount + MAX_COEFFICIENTS) * Float32Array.BYTES_PER_ELEMENT)
  if (kernel === undefined) return undefined
  const { functions, memory } = kernel
  let used = 0
  const allocate = (length: number): Float32Array => {
    const vector = new Float32Array(memory.buffer, used, length)
    used += vector.byteLength
    return vector
  }
  const state = (): OptimizerState => ({ parameters: allocate(size), moments: moments.map(() => allocate(size)) })
  const states = [state(), state()] as const
  const chunk = allocate(CHUNK_FLOATS)
  const factors = allocate(MAX_COEFFICIENTS)
  const addresses = new Uint32Array(memory.buffer, used, addressCount)
  return {
    states,
    stepElements: (sum, from, to, coefficients) => {
      factors.set(coefficients)
      const vectors = [from.parameters, ...from.moments, to.parameters, ...to.moments]
      for (let begin = 0; begin < sum.length; begin += CHUNK_FLOATS) {
        const part = sum.subarray(begin, begin + CHUNK_FLOATS)
        chunk.set(part)
        vectors.forEach(({ byteOffset }, index) => (addresses[index] = byteOffset + begin * Float32Array.BYTES_PER_ELEMENT))
        functions.step(part.length, chunk.byteOffset, addresses.byteOffset, factors.byteOffset)
      }
    },
  }
}

/** States for a processor without the kernel, and as its oracle. */
export function plainOptimizerMemory(optimizer: Optimizer, size: number): OptimizerMemory {
  return { states: [freshState(optimizer, size), freshState(optimizer, size)], stepElements: optimizer.stepViews }
}
