import type { DecodedImage } from '../shared/data/transforms/decode.ts'
import { decodeTarget } from '../shared/data/transforms/transforms.ts'
import { CheckpointError, DataError } from '../shared/kit/errors.ts'
import type { RawImage } from '../shared/pictures/contact_sheet.ts'
import { sheetImage } from '../shared/pictures/prediction_sheet.ts'
import { evaluationPixels, probabilitiesOf } from '../shared/evaluation/probabilities.ts'
import { readImage, type Asked } from './images.ts'
import type { TrainedModel } from './inference.ts'

/** What became of one image. */
export type Outcome = { path: string; problem: string } | Classified

export interface Classified {
  path: string
  problem?: undefined
  /** By class; they add up to 1. */
  probabilities: Float64Array
  /** For the sheet, where one is drawn. */
  tile: RawImage | undefined
}

interface Ready {
  path: string
  problem?: undefined
  image: DecodedImage
  tile: RawImage | undefined
}

/** Images computed at once: bounds memory; training evaluates in blocks of as many. */
const BATCH = 32

/**
 * Classifies images as their run evaluates images, a batch at a time, in their order, and closes the model's engine.
 * @param tiles so many of the first images get a picture for the sheet.
 * @throws CheckpointError where the network gives no numbers.
 */
export async function* classify(model: TrainedModel, asked: readonly Asked[], tiles: number): AsyncGenerator<Outcome> {
  let left = tiles
  try {
    for (let begin = 0; begin < asked.length; begin += BATCH) {
      const prepared = await Promise.all(asked.slice(begin, begin + BATCH).map((one, index) => prepare(one, decodeTarget(model.transforms, model.checkpoint.network.imageSize), index < left)))
      const ready = prepared.filter((one) => one.problem === undefined)
      left -= ready.filter((one) => one.tile !== undefined).length
      const rows = await classifyAll(model, ready.map((one) => one.image))
      for (const one of prepared) {
        yield one.problem === undefined ? { path: one.path, probabilities: rows[ready.indexOf(one)], tile: one.tile } : one
      }
    }
  } finally {
    await model.compute.close()
  }
}

async function prepare(asked: Asked, shortSide: number, withTile: boolean): Promise<Ready | { path: string; problem: string }> {
  if (asked.problem !== undefined) return asked
  const { path } = asked
  try {
    const { file, image } = await readImage(path, shortSide)
    return { path, image, tile: withTile ? await sheetImage(file, path) : undefined }
  } catch (error) {
    if (error instanceof DataError) return { path, problem: error.message }
    throw error
  }
}

async function classifyAll({ compute, checkpoint: { network }, transforms, file }: TrainedModel, images: readonly DecodedImage[]): Promise<Float64Array[]> {
  if (images.length === 0) return []
  const probabilities = probabilitiesOf(await compute.logits(evaluationPixels(images, network.imageSize, transforms.evaluation), images.length), network.classes)
  if (probabilities === undefined) throw new CheckpointError(`${file} gives no numbers: its training diverged. Use an earlier checkpoint, or train with a smaller --lr.`)
  return probabilities
}
