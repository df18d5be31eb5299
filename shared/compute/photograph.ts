import { decodeImage } from '../data/transforms/decode.ts'
import type { TransformList } from '../data/transforms/transforms.ts'
import { evaluationPixels } from '../evaluation/probabilities.ts'
import { DataError } from '../kit/errors.ts'

/** What becomes of a photograph that somebody gives a run to look at. */
export interface PhotographRequest {
  /** The run's evaluation transforms, for images of `imageSize` pixels. */
  evaluation: TransformList
  imageSize: number
  /** Short side to which it is reduced while it is decoded. */
  shortSide: number
  /** A photograph of more pixels is refused. */
  maxPixels: number
}

/** Decodes a photograph and prepares it as a run prepares the images of an evaluation. @returns uint8 [imageSize, imageSize, 3], or what is wrong with the file */
export async function photographPixels(file: Buffer, { evaluation, imageSize, shortSide, maxPixels }: PhotographRequest): Promise<{ pixels: Uint8Array } | { pixels: undefined; problem: string }> {
  try {
    return { pixels: evaluationPixels([await decodeImage(file, shortSide, 'The photograph', maxPixels)], imageSize, evaluation) }
  } catch (error) {
    if (error instanceof DataError) return { pixels: undefined, problem: error.message }
    throw error
  }
}
