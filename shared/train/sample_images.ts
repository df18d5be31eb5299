import type { Sample } from '../data/dataset.ts'
import { decodeImage, type DecodedImage } from '../data/decode.ts'
import type { ImageSource } from '../data/image_source.ts'
import { centre, decodeTarget } from '../data/transforms.ts'

/** Where a data set's images come from, and the size they are brought to. */
export interface SampleImages {
  source: ImageSource
  samples: readonly Sample[]
  imageSize: number
}

/** Writes [imageSize, imageSize, 3] to `out` from `offset`. */
export type SampleTransform = (image: DecodedImage, out: Uint8Array, offset: number, sample: number) => void

/**
 * Images of some samples, in the order asked for. Decoding runs on libuv's threads.
 * @returns uint8 [ids, imageSize, imageSize, 3]
 */
export async function decodeSamples({ source, samples, imageSize }: SampleImages, ids: readonly number[], transform: SampleTransform): Promise<Uint8Array> {
  const imageBytes = imageSize * imageSize * 3
  const out = new Uint8Array(ids.length * imageBytes)
  const files = await source.read(ids)
  await Promise.all(
    files.map(async (file, index) => {
      const image = await decodeImage(file, decodeTarget(imageSize), samples[ids[index]].path)
      transform(image, out, index * imageBytes, ids[index])
    }),
  )
  return out
}

/** As `decodeSamples`, without augmentation: what a network is evaluated on. */
export function evaluationImages(images: SampleImages, ids: readonly number[]): Promise<Uint8Array> {
  return decodeSamples(images, ids, (image, out, offset) => centre(image, images.imageSize, out, offset))
}
