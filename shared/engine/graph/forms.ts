import type { Precision } from '../engine.ts'
import { processorExtensions } from '../../kit/processor.ts'

/**
 * Form in which the graph is written. Like the library's kernels, it decides the result's bits:
 * - library: with the library's own operations;
 * - products: for a processor on which the library's convolution gradients are slow, with matrix products for some of them;
 * - gpu: without the operations that TensorFlow refuses on a GPU when operations must be deterministic, and with inputs that tfjs-node
 *   leaves in main memory until the graph runs.
 */
export type GraphForms = 'library' | 'products' | 'gpu'

/**
 * Chooses the form of the graph for a device of this machine. oneDNN's gradients of a convolution's kernel and bias are slow in
 * float32 on AVX2, and fast on AVX512.
 * @param device "cpu", or a GPU by its index, "gpu:0"
 */
export function formsFor(precision: Precision, device: string): GraphForms {
  if (device !== 'cpu') return 'gpu'
  const extensions = processorExtensions()
  return precision === 'f32' && extensions.has('avx2') && !extensions.has('avx512f') ? 'products' : 'library'
}
