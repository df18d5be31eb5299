import { EngineError } from '../../kit/errors.ts'
import type { Numerics, Precision } from '../engine.ts'
import { processorExtensions } from '../../kit/processor.ts'
import { portableObstacle } from '../portable.ts'

/**
 * Form in which the graph is written. Like the library's kernels, it decides the result's bits:
 * - library: with the library's own operations;
 * - products: for a processor on which the library's convolution gradients are slow, with matrix products for some of them;
 * - portable: as `products`, and with matrix products for all convolutions and the gradients of their inputs, since the library's kernels
 *   for them cut sums by the sizes of the processor's caches;
 * - gpu: without the operations that TensorFlow refuses on a GPU when operations must be deterministic, and with inputs that tfjs-node
 *   leaves in main memory until the graph runs.
 */
export type GraphForms = 'library' | 'products' | 'portable' | 'gpu'

/**
 * Chooses the form of the graph for a device of this machine. oneDNN's gradients of a convolution's kernel and bias are slow in
 * float32 on AVX2, and fast on AVX512. What is portable has a form of its own.
 * @param device "cpu", or a GPU by its index, "gpu:0"
 * @param extensions the processor's extensions, by Linux's names
 * @throws EngineError if the result is to be portable, and cannot be so
 */
export function formsFor(precision: Precision, device: string, { numerics = 'native', threads = 1 }: { numerics?: Numerics; threads?: number } = {}, extensions: ReadonlySet<string> = processorExtensions()): GraphForms {
  if (numerics === 'portable') {
    const obstacle = portableObstacle({ precision, threads, onGpu: device !== 'cpu' })
    if (obstacle !== undefined) throw new EngineError(obstacle)
    if (!extensions.has('avx2')) throw new EngineError('--numerics portable needs a processor with AVX2, and this one, as far as the system tells, has none: compute on another machine, or take --engine wasm or --numerics native.')
    return 'portable'
  }
  if (device !== 'cpu') return 'gpu'
  return precision === 'f32' && extensions.has('avx2') && !extensions.has('avx512f') ? 'products' : 'library'
}
