import type { DecodedImage } from './decode.ts'
import { plainWindow } from './plain_window.ts'
import { axisWeights, mirroredAxis } from './resample.ts'
import { Rotation } from './rotation.ts'
import { kernelTransform, type WindowTransform } from './window_kernel.ts'

/**
 * Origin of a window's pixels: the photograph is flipped and rotated, a region of it is resized, and the window is a part of the result.
 * Each geometric transform contributes to this description; pixels are computed only when it is complete, and only those of the window.
 */
export interface Geometry {
  /** Side of the window in pixels. */
  imageSize: number
  /** True if left and right are exchanged, before anything else. */
  flip: boolean
  /** Angle of the rotation, anticlockwise about the centre, from -45 to 45; nearest neighbour, black outside. Undefined for no rotation. */
  degrees: number | undefined
  /** Region that is resized, in pixels of the flipped and rotated photograph; within its borders. */
  region: { left: number; top: number; width: number; height: number }
  /** Size to which the region is resized in pixels, by bilinear resampling with antialiasing. */
  resized: { width: number; height: number }
  /** Upper left corner of the window in the resized region, in pixels. */
  left: number
  top: number
}

/** Returns the geometry with which a list begins: nothing has been done yet, and the window is the upper left corner. */
export function untouched({ width, height }: DecodedImage, imageSize: number): Geometry {
  return { imageSize, flip: false, degrees: undefined, region: { left: 0, top: 0, width, height }, resized: { width, height }, left: 0, top: 0 }
}

/** Fastest implementation on this machine: the kernel, or plain TypeScript if the kernel cannot be loaded. */
const transformWindow = kernelTransform() ?? plainWindow

/**
 * Computes the window of a photograph, with the same bits as torchvision, which computes step by step on PIL images.
 * @param out uint8; [imageSize, imageSize, 3] is written from `offset`.
 */
export function computeWindow(image: DecodedImage, geometry: Geometry, out: Uint8Array, offset: number, compute: WindowTransform = transformWindow): void {
  const { imageSize, flip, degrees, region, resized, left, top } = geometry
  const columns = axisWeights(region.width, resized.width, left, imageSize, region.left)
  const rows = axisWeights(region.height, resized.height, top, imageSize, region.top)
  if (degrees === undefined) return compute(image, undefined, flip ? mirroredAxis(columns, image.width) : columns, rows, out, offset)
  compute(image, new Rotation(image, { flip, degrees }), columns, rows, out, offset)
}
