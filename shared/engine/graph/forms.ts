import type { Precision } from '../engine.ts'
import { processorExtensions } from '../../kit/processor.ts'

/**
 * How the graph is written, which decides its bits, as the library's kernels do:
 * - library: by the library's own operations;
 * - products: for a processor on which the library's gradients of convolutions are slow, some of them as matrix products;
 * - gpu: without the operations that TensorFlow refuses on a GPU where its operations must be deterministic, and with inputs that tfjs-node
 *   leaves in memory until the graph runs.
 */
export type GraphForms = 'library' | 'products' | 'gpu'

/** What is there for a device, "cpu" or "gpu:0". oneDNN's kernels for the gradients of a convolution's kernel and bias are slow in float32 on AVX2, and fast on AVX512. */
export function formsFor(precision: Precision, device: string): GraphForms {
  if (device !== 'cpu') return 'gpu'
  const extensions = processorExtensions()
  return precision === 'f32' && extensions.has('avx2') && !extensions.has('avx512f') ? 'products' : 'library'
}
