import {
  backend_util, Conv2DBackpropFilter, Conv2DBackpropInput, engine, tidy, conv2d, slice, transpose,
  type Conv2DBackpropFilterAttrs, type Conv2DBackpropInputAttrs, type KernelConfig, type Tensor4D,
} from '@tensorflow/tfjs-core'
import { type BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { EngineError } from '../../kit/errors.ts'
import { floats, type KernelCall, type Shape4D } from './heap.ts'

/**
 * The two gradients of a convolution, each computed as another convolution, so that XNNPACK's matrix kernels do the work.
 * The backend caches the packed filter of a convolution by the filter tensor's id and frees it with that tensor: the
 * filters made here live in a `tidy`, so nothing stays behind.
 *
 * Notation: x [n, h, w, ic], filter [kh, kw, ic, oc], dy [n, oh, ow, oc], stride s, padding p before and after.
 */

type Info = backend_util.Conv2DInfo

function convolutionInfo(x: Shape4D, filter: Shape4D, attributes: Conv2DBackpropFilterAttrs | Conv2DBackpropInputAttrs): Info {
  const { strides, pad, dimRoundingMode, dataFormat } = attributes
  if (dataFormat !== 'NHWC') throw new EngineError(`the wasm engine computes convolution gradients in NHWC only, not in ${dataFormat}: transpose the images.`)
  return backend_util.computeConv2DInfo(x, filter, strides, 1, pad, dimRoundingMode)
}

function explicitPadding(top: number, bottom: number, left: number, right: number): backend_util.ExplicitPadding {
  return [[0, 0], [top, bottom], [left, right], [0, 0]]
}

/**
 * dfilter[i, j, c, o] = sum over n, y, x of  x[n, y s + i - p, x s + j - p, c] dy[n, y, x, o].
 * That is a convolution whose images are the input channels, whose channels are the samples, and whose filter is dy
 * dilated by the stride: [ic, h, w, n] * [oh, ow, n, oc] -> [ic, kh, kw, oc].
 */
function filterGradient(x: Tensor4D, dy: Tensor4D, info: Info): Tensor4D {
  return tidy(() => {
    const { top, left } = info.padInfo
    // Rows and columns beyond the last window, left over by a stride that does not divide the size, would add rows to the result, so they are cut off.
    const reachHeight = (info.outHeight - 1) * info.strideHeight + info.filterHeight - top
    const reachWidth = (info.outWidth - 1) * info.strideWidth + info.filterWidth - left
    const height = Math.min(info.inHeight, reachHeight)
    const width = Math.min(info.inWidth, reachWidth)
    const covered = height < info.inHeight || width < info.inWidth ? slice(x, 0, [info.batchSize, height, width, info.inChannels]) : x
    const channelsAsImages = transpose(covered, [3, 1, 2, 0])
    const gradientAsFilter = transpose(dy, [1, 2, 0, 3])
    const padding = explicitPadding(top, reachHeight - height, left, reachWidth - width)
    const result = conv2d(channelsAsImages, gradientAsFilter, 1, padding, 'NHWC', [info.strideHeight, info.strideWidth])
    return transpose(result, [1, 2, 0, 3])
  })
}

/** Copies dy [n, oh, ow, oc] with stride - 1 zeros between neighbours: [n, (oh - 1) s + 1, (ow - 1) s + 1, oc]. */
function insertZeros(dy: Tensor4D, info: Info, backend: BackendWasm): Tensor4D {
  const [batch, outHeight, outWidth, channels] = dy.shape
  const height = (outHeight - 1) * info.strideHeight + 1
  const width = (outWidth - 1) * info.strideWidth + 1
  const spread = backend.makeOutput([batch, height, width, channels], 'float32')
  const source = floats(backend, dy)
  const target = floats(backend, spread).fill(0)
  let from = 0
  for (let sample = 0; sample < batch; sample++) {
    for (let y = 0; y < outHeight; y++) {
      let to = ((sample * height + y * info.strideHeight) * width) * channels
      for (let x = 0; x < outWidth; x++) {
        for (let channel = 0; channel < channels; channel++) target[to + channel] = source[from++]
        to += info.strideWidth * channels
      }
    }
  }
  return engine().makeTensorFromTensorInfo(spread) as Tensor4D
}

/** Copies the filter, rotated by 180 degrees and with its channels swapped: [kh, kw, oc, ic]. */
function turn(filter: Tensor4D, backend: BackendWasm): Tensor4D {
  const [height, width, inChannels, outChannels] = filter.shape
  const turned = backend.makeOutput([height, width, outChannels, inChannels], 'float32')
  const source = floats(backend, filter)
  const target = floats(backend, turned)
  const taps = height * width
  const tapSize = inChannels * outChannels
  for (let tap = 0; tap < taps; tap++) {
    const from = (taps - 1 - tap) * tapSize
    let to = tap * tapSize
    for (let out = 0; out < outChannels; out++) {
      for (let channel = 0; channel < inChannels; channel++) target[to++] = source[from + channel * outChannels + out]
    }
  }
  return engine().makeTensorFromTensorInfo(turned) as Tensor4D
}

/**
 * dx = convolution of dy with the filter, the latter rotated by 180 degrees and with its channels swapped. dy has zeros
 * inserted between its pixels, and is padded so that every window that touched a pixel touches it again.
 */
function inputGradient(dy: Tensor4D, filter: Tensor4D, info: Info, backend: BackendWasm): Tensor4D {
  return tidy(() => {
    const spread = info.strideHeight > 1 || info.strideWidth > 1 ? insertZeros(dy, info, backend) : dy
    const top = info.filterHeight - 1 - info.padInfo.top
    const left = info.filterWidth - 1 - info.padInfo.left
    const bottom = info.inHeight + info.filterHeight - 1 - spread.shape[1] - top
    const right = info.inWidth + info.filterWidth - 1 - spread.shape[2] - left
    return conv2d(spread, turn(filter, backend), 1, explicitPadding(top, bottom, left, right))
  })
}

export const convolutionKernels: KernelConfig[] = [
  {
    kernelName: Conv2DBackpropFilter,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }: KernelCall) => {
      const attributes = attrs as unknown as Conv2DBackpropFilterAttrs
      const x = inputs['x'] as Tensor4D
      return filterGradient(x, inputs['dy'] as Tensor4D, convolutionInfo(x.shape, attributes.filterShape as Shape4D, attributes))
    },
  },
  {
    kernelName: Conv2DBackpropInput,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
      const attributes = attrs as unknown as Conv2DBackpropInputAttrs
      const filter = inputs['filter'] as Tensor4D
      const info = convolutionInfo(attributes.inputShape, filter.shape, attributes)
      return inputGradient(inputs['dy'] as Tensor4D, filter, info, backend as BackendWasm)
    },
  },
]
