import {
  backend_util, DepthwiseConv2dNativeBackpropFilter, DepthwiseConv2dNativeBackpropInput,
  type DepthwiseConv2dNativeBackpropFilterAttrs, type DepthwiseConv2dNativeBackpropInputAttrs, type KernelConfig, type TensorInfo,
} from '@tensorflow/tfjs-core'
import { type BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { floats, type KernelCall, type Shape4D } from './heap.ts'

/**
 * The two gradients of a depthwise convolution, which the backend lacks.
 * Notation: x [n, h, w, c], filter [kh, kw, c, m], dy [n, oh, ow, c m]; output channel c m + k comes from input channel c.
 */

type Info = backend_util.Conv2DInfo

/** Calls `visit` for each pair of an output pixel and a tap of its window inside the image, with the indices at which their channels begin. */
function eachTap(info: Info, visit: (input: number, tap: number, output: number) => void): void {
  const { inHeight, inWidth, inChannels, outChannels, filterHeight, filterWidth } = info
  let output = 0
  for (let sample = 0; sample < info.batchSize; sample++) {
    for (let y = 0; y < info.outHeight; y++) {
      for (let x = 0; x < info.outWidth; x++, output += outChannels) {
        for (let i = 0; i < filterHeight; i++) {
          const row = y * info.strideHeight + i * info.dilationHeight - info.padInfo.top
          if (row < 0 || row >= inHeight) continue
          for (let j = 0; j < filterWidth; j++) {
            const column = x * info.strideWidth + j * info.dilationWidth - info.padInfo.left
            if (column < 0 || column >= inWidth) continue
            visit(((sample * inHeight + row) * inWidth + column) * inChannels, (i * filterWidth + j) * outChannels, output)
          }
        }
      }
    }
  }
}

/** dx[pixel, c] = sum over the windows that cover the pixel, and over k, of  filter[tap, c, k] dy[window, c m + k]. */
function inputGradient(dy: Float32Array, filter: Float32Array, dx: Float32Array, info: Info): void {
  const multiplier = info.outChannels / info.inChannels
  dx.fill(0)
  eachTap(info, (input, tap, output) => {
    for (let channel = 0, out = 0; channel < info.inChannels; channel++) {
      let sum = dx[input + channel]
      for (let k = 0; k < multiplier; k++, out++) sum += filter[tap + out] * dy[output + out]
      dx[input + channel] = sum
    }
  })
}

/** dfilter[tap, c, k] = sum over all windows of  x[tap's pixel, c] dy[window, c m + k], added up in float64. */
function filterGradient(x: Float32Array, dy: Float32Array, dfilter: Float32Array, info: Info): void {
  const multiplier = info.outChannels / info.inChannels
  const sums = new Float64Array(dfilter.length)
  eachTap(info, (input, tap, output) => {
    for (let channel = 0, out = 0; channel < info.inChannels; channel++) {
      const value = x[input + channel]
      for (let k = 0; k < multiplier; k++, out++) sums[tap + out] += value * dy[output + out]
    }
  })
  dfilter.set(sums)
}

export const depthwiseKernels: KernelConfig[] = [
  {
    kernelName: DepthwiseConv2dNativeBackpropInput,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
      const { strides, dilations, pad, dimRoundingMode, inputShape } = attrs as unknown as DepthwiseConv2dNativeBackpropInputAttrs
      const wasm = backend as BackendWasm
      const filter = inputs['filter'] as TensorInfo
      const info = backend_util.computeConv2DInfo(inputShape, filter.shape as Shape4D, strides, dilations, pad, dimRoundingMode, true)
      const dx = wasm.makeOutput(inputShape, 'float32')
      inputGradient(floats(wasm, inputs['dy'] as TensorInfo), floats(wasm, filter), floats(wasm, dx), info)
      return dx
    },
  },
  {
    kernelName: DepthwiseConv2dNativeBackpropFilter,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
      const { strides, dilations, pad, dimRoundingMode, filterShape } = attrs as unknown as DepthwiseConv2dNativeBackpropFilterAttrs
      const wasm = backend as BackendWasm
      const x = inputs['x'] as TensorInfo
      const info = backend_util.computeConv2DInfo(x.shape as Shape4D, filterShape, strides, dilations, pad, dimRoundingMode, true)
      const dfilter = wasm.makeOutput(filterShape, 'float32')
      filterGradient(floats(wasm, x), floats(wasm, inputs['dy'] as TensorInfo), floats(wasm, dfilter), info)
      return dfilter
    },
  },
]
