import type { DecodedImage } from '../shared/data/transforms/decode.ts'
import { decodeTarget } from '../shared/data/transforms/transforms.ts'
import { CheckpointError, DataError } from '../shared/kit/errors.ts'
import type { RawImage } from '../shared/pictures/contact_sheet.ts'
import { sheetImage } from '../shared/pictures/prediction_sheet.ts'
import { evaluationPixels, probabilitiesOf } from '../shared/evaluation/probabilities.ts'
import { readImage, type Asked } from './images.ts'
import type { TrainedModel } from './inference.ts'

/** The result for one image: its probabilities, or the problem that kept it from being classified. */
export type Outcome = { path: string; problem: string } | Classified

export interface Classified {
  path: string
  problem?: undefined
  /** Shape [classes]; the values add up to 1. */
  probabilities: Float64Array
  /** Picture of the image on the contact sheet; undefined if the sheet has no place for it. */
  tile: RawImage | undefined
}

interface Ready {
  path: string
  problem?: undefined
  image: DecodedImage
  tile: RawImage | undefined
}

/** Images computed at once, which bounds memory; training evaluates in blocks of the same size. */
const BATCH = 32

/**
 * Classifies images, prepared by the evaluation transforms of the model's run, a batch at a time; yields one outcome per image, in order.
 * The model's engine is closed at the end.
 * @param tiles number of images, from the first on, that get a picture for the contact sheet.
 * @throws CheckpointError if logits are not finite, as after a training that diverged.
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
