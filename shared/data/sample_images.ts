import type { Sample } from './dataset.ts'
import type { DecodedCache } from './caches/decoded_cache.ts'
import { decodeImage, type DecodedImage } from './transforms/decode.ts'
import type { ImageSource } from './sources/image_source.ts'
import { machineSeconds } from '../trace/span.ts'
import { prepareForEvaluation } from './transforms/apply.ts'
import { decodeTarget, type TransformLists } from './transforms/transforms.ts'

/** Where a data set's images come from, and what is made of them. */
export interface SampleImages extends TransformLists {
  source: ImageSource
  samples: readonly Sample[]
  /** Side of what is made of them, in pixels. */
  imageSize: number
  /** Where decoded images are kept for the next epoch: opened for these transforms and this size. */
  decoded?: DecodedCache
  /** Is told of each image, and what it took. */
  observer?: ImageObserver
}

export type ImageObserver = (facts: { from: 'memory' | 'file' | 'decoder'; decodeSeconds: number; transformSeconds: number }) => void

/** Writes [imageSize, imageSize, 3] to `out` from `offset`. */
export type SampleTransform = (image: DecodedImage, out: Uint8Array, offset: number, sample: number) => void

/**
 * Images of some samples, in the order asked for: from memory, from the cache file, or decoded, which runs on libuv's threads.
 * @returns uint8 [ids, imageSize, imageSize, 3]
 */
export async function decodeSamples(images: SampleImages, ids: readonly number[], transform: SampleTransform): Promise<Uint8Array> {
  const { source, samples, imageSize, decoded, observer } = images
  const shortSide = decodeTarget(images, imageSize)
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
      const image = await decodeImage(file, shortSide, samples[ids[index]].path)
      decoded?.offer(ids[index], image)
      place(image, index, 'decoder', machineSeconds() - begin)
    }),
  )
  return out
}

/** As `decodeSamples`, with the evaluation transforms. */
export function evaluationImages(images: SampleImages, ids: readonly number[]): Promise<Uint8Array> {
  return decodeSamples(images, ids, (image, out, offset) => prepareForEvaluation(image, images.imageSize, images.evaluation, out, offset))
}
