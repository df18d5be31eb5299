import { type NamedAttrMap, type TensorInfo } from '@tensorflow/tfjs-core'
import { type BackendWasm } from '@tensorflow/tfjs-backend-wasm'

export type Shape4D = [number, number, number, number]

/** Arguments with which tfjs calls a kernel. */
export interface KernelCall {
  inputs: { [name: string]: TensorInfo | undefined }
  attrs?: NamedAttrMap
  backend: unknown
}

/**
 * Returns the tensor's own memory on the wasm heap: a view, not a copy. Making another tensor may grow the heap and detach
 * the view, so kernels make their output first.
 */
export function floats(backend: BackendWasm, tensor: TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(tensor) as Float32Array
}
