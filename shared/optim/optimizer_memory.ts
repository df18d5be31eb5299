import { loadKernel } from '../kernels/kernel.ts'
import { withSlowWeights } from './lookahead.ts'
import { CHUNK_FLOATS } from '../vectors/chunks.ts'
import { freshState, type Optimizer, type OptimizerState, type StepElements } from './optimizer.ts'

/** Two states of an optimizer, and the loop that steps the elements of one into the other. */
export interface OptimizerMemory {
  states: readonly [OptimizerState, OptimizerState]
  stepElements: StepElements
}

/** The function that every optimizer's kernel exports. */
interface StepFunctions {
  /**
   * Steps elements of vectors, which may begin at any address.
   * @param count number of elements
   * @param sum address of the gradient
   * @param vectors address of the addresses: parameters and moments of the old state, then those of the new one, which may be the same
   * @param coefficients address of the coefficients, float32
   */
  step(count: number, sum: number, vectors: number, coefficients: number): void
}

const MAX_COEFFICIENTS = 16

/**
 * Creates two states of zeros that stay in the kernel's memory: a step copies only the gradient into it, one chunk at a time. The memory never
 * grows, so views of it stay valid.
 * @param size number of floats in each vector
 * @returns undefined if the kernel cannot be used: see `loadKernel`
 */
export function kernelOptimizerMemory({ base, kernel: name, moments }: Optimizer, size: number): OptimizerMemory | undefined {
  if (base !== undefined) return lookingAheadIn(kernelOptimizerMemory(base, size), size)
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

/** Adds slow weights to states that a kernel steps, outside of its memory. */
function lookingAheadIn(memory: OptimizerMemory | undefined, size: number): OptimizerMemory | undefined {
  if (memory === undefined) return undefined
  const [first, second] = memory.states.map(({ parameters, moments }): OptimizerState => ({ parameters, moments: [...moments, new Float32Array(size)] }))
  return { states: [first, second], stepElements: withSlowWeights(memory.stepElements) }
}

/**
 * Creates two states of zeros for the plain loop: for processors without the kernel, and as its oracle in tests.
 * @param size number of floats in each vector
 */
export function plainOptimizerMemory(optimizer: Optimizer, size: number): OptimizerMemory {
  return { states: [freshState(optimizer, size), freshState(optimizer, size)], stepElements: optimizer.stepViews }
}
