import { growTo, loadKernel } from '../kernels/kernel.ts'

interface SumFunctions {
  add(count: number, left: number, right: number): void
  squares(count: number, values: number): number
}

/** The kernel's functions, with the same bits as the plain ones in shared/vectors/vectors.ts, and memory whose vectors it works on without copying. */
export interface SumKernel {
  add(left: Float32Array, right: Float32Array): Float32Array
  sumOfSquares(values: Float32Array): number
  /**
   * Allocates a vector in the kernel's memory, which is never freed.
   * @param length number of floats
   * @returns undefined if the memory cannot grow so far
   */
  allocate(length: number): Float32Array | undefined
}

/**
 * Number of floats that are copied to the kernel at a time: both operands stay in a core's own cache. Squares are summed in blocks of this size,
 * with or without the kernel.
 */
export const BLOCK_FLOATS = 16_384
const BLOCK_BYTES = BLOCK_FLOATS * Float32Array.BYTES_PER_ELEMENT
/** Alignment of vectors in bytes: that of cache lines. */
const ALIGNMENT = 64

/**
 * Loads the kernel. Vectors outside its memory pass through it block by block: even with copying in and out, that takes a third of the plain
 * loop's time.
 * @returns undefined if the kernel cannot be used: see `loadKernel`
 */
export function sumKernel(): SumKernel | undefined {
  const kernel = loadKernel<SumFunctions>('sum', 2 * BLOCK_BYTES)
  if (kernel === undefined) return undefined
  const { functions, memory } = kernel
  const leftBlock = new Float32Array(memory.buffer, 0, BLOCK_FLOATS)
  const rightBlock = new Float32Array(memory.buffer, BLOCK_BYTES, BLOCK_FLOATS)
  let used = 2 * BLOCK_BYTES
  /** Buffer objects of the kernel's memory. Growing makes a new one; the old ones stay valid for their part of the memory. */
  const buffers = new WeakSet<ArrayBufferLike>()
  const inside = ({ buffer }: Float32Array): boolean => buffers.has(buffer)
  return {
    add: (left, right) => {
      if (inside(left) && inside(right)) {
        functions.add(left.length, left.byteOffset, right.byteOffset)
        return left
      }
      for (let begin = 0; begin < left.length; begin += BLOCK_FLOATS) {
        const part = left.subarray(begin, begin + BLOCK_FLOATS)
        leftBlock.set(part)
        rightBlock.set(right.subarray(begin, begin + part.length))
        functions.add(part.length, leftBlock.byteOffset, rightBlock.byteOffset)
        part.set(leftBlock.subarray(0, part.length))
      }
      return left
    },
    sumOfSquares: (values) => {
      const isInside = inside(values)
      let sum = 0
      for (let begin = 0; begin < values.length; begin += BLOCK_FLOATS) {
        const part = values.subarray(begin, begin + BLOCK_FLOATS)
        if (!isInside) leftBlock.set(part)
        sum += functions.squares(part.length, isInside ? part.byteOffset : leftBlock.byteOffset)
      }
      return sum
    },
    allocate: (length) => {
      const begin = used
      const end = begin + Math.ceil((length * Float32Array.BYTES_PER_ELEMENT) / ALIGNMENT) * ALIGNMENT
      try {
        growTo(memory, end)
      } catch (error) {
        if (error instanceof RangeError) return undefined
        throw error
      }
      used = end
      buffers.add(memory.buffer)
      return new Float32Array(memory.buffer, begin, length)
    },
  }
}
