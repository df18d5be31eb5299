import { OneHot, type DataType, type KernelConfig, type OneHotAttrs, type TensorInfo } from '@tensorflow/tfjs-core'
import { type BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { type KernelCall } from './heap.ts'

/**
 * One-hot vectors, [...shape of indices, depth]. The backend's own kernel writes integers whatever type is asked for:
 * a float32 result would hold their bits, and the fractions of label smoothing would become zero.
 */
export const oneHotKernel: KernelConfig = {
  kernelName: OneHot,
  backendName: 'wasm',
  kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
    const { depth, onValue, offValue, dtype } = attrs as unknown as OneHotAttrs & { dtype: DataType }
    const wasm = backend as BackendWasm
    const indices = inputs['indices'] as TensorInfo
    const result = wasm.makeOutput([...indices.shape, depth], dtype)
    const values = wasm.typedArrayFromHeap(result).fill(offValue)
    wasm.typedArrayFromHeap(indices).forEach((index, row) => {
      if (index >= 0 && index < depth) values[row * depth + index] = onValue
    })
    return result
  },
}
