import {
  AvgPoolGrad, backend_util, MaxPoolGrad,
  type AvgPoolGradAttrs, type KernelConfig, type MaxPoolGradAttrs, type TensorInfo,
} from '@tensorflow/tfjs-core'
import { type BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { floats, type KernelCall, type Shape4D } from './heap.ts'

/**
 * The gradients of max and average pooling. The backend has kernels of these names, but they do not fit its own pooling:
 * its max pool gradient starts from the smallest positive float, so that a window without a positive value
 * loses its gradient, and gives a tie to the last maximum, while TensorFlow takes the first; its average pool gradient
 * divides by the whole window, while its forward kernel counts only the pixels inside the image.
 */

type Info = backend_util.Conv2DInfo

/** Returns the first input position, along one axis, that an output's window covers. @param before padding at the beginning of the axis */
function windowStart(output: number, stride: number, before: number): number {
  return Math.max(0, output * stride - before)
}
/** Returns the position after the last one that an output's window covers. */
function windowEnd(output: number, stride: number, before: number, size: number, input: number): number {
  return Math.min(input, output * stride - before + size)
}

/** Calls `visit` for each window of each sample, with the rows and columns that it covers and the index at which its output channels begin. */
function eachWindow(
  info: Info,
  visit: (sample: number, top: number, bottom: number, left: number, right: number, output: number) => void,
): void {
  let output = 0
  for (let sample = 0; sample < info.batchSize; sample++) {
    for (let y = 0; y < info.outHeight; y++) {
      const top = windowStart(y, info.strideHeight, info.padInfo.top)
      const bottom = windowEnd(y, info.strideHeight, info.padInfo.top, info.filterHeight, info.inHeight)
      for (let x = 0; x < info.outWidth; x++) {
        const left = windowStart(x, info.strideWidth, info.padInfo.left)
        const right = windowEnd(x, info.strideWidth, info.padInfo.left, info.filterWidth, info.inWidth)
        visit(sample, top, bottom, left, right, output)
        output += info.outChannels
      }
    }
  }
}

/** Adds each window's gradient to the first maximum of the window, in row-major order, as in TensorFlow. */
function maxPoolGradient(x: Float32Array, dy: Float32Array, dx: Float32Array, info: Info): void {
  const { inHeight, inWidth, inChannels } = info
  dx.fill(0)
  eachWindow(info, (sample, top, bottom, left, right, output) => {
    const first = ((sample * inHeight + top) * inWidth + left) * inChannels
    const rowStep = inWidth * inChannels
    const rows = bottom - top
    const rowLength = (right - left) * inChannels
    for (let channel = 0; channel < inChannels; channel++) {
      let best = first + channel
      let maximum = x[best]
      for (let row = 0, start = best; row < rows; row++, start += rowStep) {
        for (let at = start; at < start + rowLength; at += inChannels) {
          if (x[at] > maximum) {
            maximum = x[at]
            best = at
          }
        }
      }
      dx[best] += dy[output + channel]
    }
  })
}

/** Divides each window's gradient among the pixels that it averaged: those inside the image. */
function averagePoolGradient(dy: Float32Array, dx: Float32Array, info: Info): void {
  const { inHeight, inWidth, inChannels } = info
  dx.fill(0)
  eachWindow(info, (sample, top, bottom, left, right, output) => {
    const share = 1 / ((bottom - top) * (right - left))
    for (let row = top; row < bottom; row++) {
      let at = ((sample * inHeight + row) * inWidth + left) * inChannels
      for (let column = left; column < right; column++) {
        for (let channel = 0; channel < inChannels; channel++) dx[at++] += dy[output + channel] * share
      }
    }
  })
}

export const poolingKernels: KernelConfig[] = [
  {
    kernelName: MaxPoolGrad,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
      const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as MaxPoolGradAttrs
      const wasm = backend as BackendWasm
      const input = inputs['input'] as TensorInfo
      const info = backend_util.computePool2DInfo(input.shape as Shape4D, filterSize, strides, 1, pad, dimRoundingMode)
      const dx = wasm.makeOutput(input.shape, 'float32')
      maxPoolGradient(floats(wasm, input), floats(wasm, inputs['dy'] as TensorInfo), floats(wasm, dx), info)
      return dx
    },
  },
  {
    kernelName: AvgPoolGrad,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
      const { filterSize, strides, pad } = attrs as unknown as AvgPoolGradAttrs
      const wasm = backend as BackendWasm
      const input = inputs['input'] as TensorInfo
      const info = backend_util.computePool2DInfo(input.shape as Shape4D, filterSize, strides, 1, pad)
      const dx = wasm.makeOutput(input.shape, 'float32')
      averagePoolGradient(floats(wasm, inputs['dy'] as TensorInfo), floats(wasm, dx), info)
      return dx
    },
  },
]
