import { z } from 'zod'

const beginning = z.strictObject({ from: z.int().min(1), size: z.int().min(8).max(4096) })

/**
 * Schema of the sizes of training images as training goes on: from an epoch on (`from`, which counts from 1), they are of `size` pixels, until the next
 * entry's. Before the first entry they are of the network's image size, which is also that of test images throughout. Smaller images cost
 * less at a time when details do not count yet (Howard, "Training Imagenet in 3 hours for $25", 2018).
 */
export const imageSizesSchema = z.array(beginning).min(1).refine((sizes) => sizes.every(({ from }, index) => index === 0 || from > sizes[index - 1].from), 'epochs must increase')
export type ImageSizes = z.infer<typeof imageSizesSchema>

/** What a network says of the sizes of its images. */
export interface Sized {
  imageSize: number
  imageSizes?: ImageSizes | undefined
}

/** Returns height and width of the training images of an epoch, in pixels. */
export function trainingSizeAt({ imageSize, imageSizes = [] }: Sized, epoch: number): number {
  return imageSizes.findLast(({ from }) => from <= epoch)?.size ?? imageSize
}

/** Returns each size of which the network takes images, its image size first. */
export function sizesOf({ imageSize, imageSizes = [] }: Sized): number[] {
  return [...new Set([imageSize, ...imageSizes.map(({ size }) => size)])]
}

/** Returns the same network for images of one size, whatever the epoch. */
export function networkOfSize<Network extends Sized>(network: Network, imageSize: number): Network {
  return { ...network, imageSize, imageSizes: undefined }
}

/** Returns height and width of the square images that `bytes` holds. @param bytes uint8 [count, size, size, 3] */
export function sizeOfImages(bytes: Uint8Array, count: number): number {
  return Math.sqrt(bytes.length / (count * 3))
}
