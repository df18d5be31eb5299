import type { Samples } from './columns/samples.ts'
import type { DecodedCache } from './caches/decoded_cache.ts'
import { decodeImage, type DecodedImage } from './transforms/decode.ts'
import type { ImageSource } from './sources/image_source.ts'
import { machineSeconds } from '../trace/span.ts'
import { prepareForEvaluation } from './transforms/apply.ts'
import { decodeTarget, type TransformLists } from './transforms/transforms.ts'

/** Source of a data set's images, and the transforms that prepare them. */
export interface SampleImages extends TransformLists {
  source: ImageSource
  samples: Pick<Samples, 'path'>
  /** Side of the prepared images, in pixels. */
  imageSize: number
  /** Side that images are decoded for, if it is above `imageSize`: what is in the cache serves both. */
  decodedFor?: number
  /** Cache that keeps decoded images for the next epoch; it must have been opened for these transforms and this size. */
  decoded?: DecodedCache
  observer?: ImageObserver
}

/** Called for each prepared image, with its origin and the seconds that its decoding and its transforms took. */
export type ImageObserver = (facts: { from: 'memory' | 'file' | 'decoder'; decodeSeconds: number; transformSeconds: number }) => void

/** Transforms a decoded image and writes uint8 [imageSize, imageSize, 3] to `out` from `offset`. */
export type SampleTransform = (image: DecodedImage, out: Uint8Array, offset: number, sample: number) => void

/**
 * Gets the images of samples, in the given order, and transforms them. An image comes from memory, from the cache file, or is decoded from
 * its own file on libuv's threads.
 * @returns uint8 [ids, imageSize, imageSize, 3]
 * @throws DataError if a file cannot be read or decoded
 */
export async function decodeSamples(images: SampleImages, ids: readonly number[], transform: SampleTransform): Promise<Uint8Array> {
  const { source, samples, imageSize, decodedFor = imageSize, decoded, observer } = images
  const shortSide = decodeTarget(images, decodedFor)
  const imageBytes = imageSize * imageSize * 3
  const out = new Uint8Array(ids.length * imageBytes)
  const place = (image: DecodedImage, index: number, from: 'memory' | 'file' | 'decoder', decodeSeconds = 0): void => {
    const begin = machineSeconds()
    transform(image, out, index * imageBytes, ids[index])
    observer?.({ from, decodeSeconds, transformSeconds: machineSeconds() - begin })
  }

  const isMissing = await Promise.all(
    ids.map(async (id, index) => {
      const image = decoded?.get(id)
      if (image === undefined) return !(await decoded?.read(id, (read) => place(read, index, 'file')))
      place(image, index, 'memory')
      return false
    }),
  )
  const missing = [...ids.keys()].filter((index) => isMissing[index])
  const files = await source.read(missing.map((index) => ids[index]))
  await Promise.all(
    files.map(async (file, position) => {
      const index = missing[position]
      const begin = machineSeconds()
      const image = await decodeImage(file, shortSide, samples.path(ids[index]))
      decoded?.offer(ids[index], image)
      place(image, index, 'decoder', machineSeconds() - begin)
    }),
  )
  return out
}

/** Does the same as `decodeSamples`, with the evaluation transforms. */
export function evaluationImages(images: SampleImages, ids: readonly number[]): Promise<Uint8Array> {
  return decodeSamples(images, ids, (image, out, offset) => prepareForEvaluation(image, images.imageSize, images.evaluation, out, offset))
}
