import type { DecodedImage } from './decode.ts'
import { plainWindow } from './plain_window.ts'
import { axisWeights } from './resample.ts'
import { Rotation } from './rotation.ts'
import { kernelTransform, type WindowTransform } from './window_kernel.ts'

/**
 * Where the pixels of a window come from: the photograph is flipped, turned, a region of it is resized, and the window is a part of that.
 * Geometric transforms each say their part of it; only then is it computed, and only what the window shows.
 */
export interface Geometry {
  /** Side of the window in pixels. */
  imageSize: number
  /** Left and right are exchanged, before anything else. */
  flip: boolean
  /** Anticlockwise about the centre, nearest neighbour, black outside; not turned where undefined. At most 45 either way. */
  degrees: number | undefined
  /** What is resized, in pixels of the flipped and turned photograph; within its borders. */
  region: { left: number; top: number; width: number; height: number }
  /** Size that the region is brought to, by bilinear resampling with antialiasing. */
  resized: { width: number; height: number }
  /** The window's place in the resized region. */
  left: number
  top: number
}

/** The geometry that a list begins with: nothing is done yet, and the window is the upper left corner. */
export function untouched({ width, height }: DecodedImage, imageSize: number): Geometry {
  return { imageSize, flip: false, degrees: undefined, region: { left: 0, top: 0, width, height }, resized: { width, height }, left: 0, top: 0 }
}

/** In plain TypeScript where there is no kernel for this processor. */
const transformWindow = kernelTransform() ?? plainWindow

/**
 * Computes the window of a photograph, bit for bit as torchvision does it step by step on PIL images.
 * @param out uint8; [imageSize, imageSize, 3] is written from `offset`.
 */
export function computeWindow(image: DecodedImage, geometry: Geometry, out: Uint8Array, offset: number, compute: WindowTransform = transformWindow): void {
  const { imageSize, flip, degrees, region, resized, left, top } = geometry
  const columns = axisWeights(region.width, resized.width, left, imageSize, region.left)
  const rows = axisWeights(region.height, resized.height, top, imageSize, region.top)
  const isTurned = flip || degrees !== undefined
  compute(image, isTurned ? new Rotation(image, { flip, degrees: degrees ?? 0 }) : undefined, columns, rows, out, offset)
}
