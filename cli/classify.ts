import { pMapIterable } from 'p-map'
import { decodeTarget } from '../shared/data/transforms/transforms.ts'
import { CheckpointError, DataError } from '../shared/kit/errors.ts'
import type { RawImage } from '../shared/pictures/contact_sheet.ts'
import { sheetImage } from '../shared/pictures/prediction_sheet.ts'
import { evaluationPixels, probabilitiesOf } from '../shared/evaluation/probabilities.ts'
import { readImage, type Asked } from './images.ts'
import type { TrainedModel } from './inference.ts'

/** The result for one image: its probabilities, or the problem that kept it from being classified. */
export type Outcome = Unreadable | Classified

interface Unreadable {
  path: string
  problem: string
}

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
  /** uint8 [imageSize, imageSize, 3] */
  pixels: Uint8Array
  tile: RawImage | undefined
}

/** Images computed at once; training evaluates in blocks of the same size. */
const BATCH = 32
/** Batches that are at the engine: while one is computed, the next one waits there, so that the engine never does. */
const AT_ENGINE = 2
/** Images that are read, decoded or ready, ahead of those at the engine. They bound the memory, however many images are asked about. */
export const READ_AHEAD = 3 * BATCH
/** Files read at a time, each of which can be large: twice as many as are decoded at a time (sharp decodes in the four threads of Node's pool). */
const READ_AT_A_TIME = 8

/**
 * Classifies images, prepared by the evaluation transforms of the model's run, a batch at a time; yields one outcome per image, in order. Images are read
 * ahead while others are computed; how many is bounded. The model's engine is closed at the end.
 * @param tiles number of images, from the first on, that get a picture for the contact sheet.
 * @throws CheckpointError if logits are not finite, as after a training that diverged.
 */
export async function* classify(model: TrainedModel, asked: Iterable<Asked>, tiles: number): AsyncGenerator<Outcome> {
  const atEngine: Promise<Outcome[]>[] = []
  try {
    const prepared = pMapIterable(asked, (one, index) => prepare(model, one, index < tiles), { concurrency: READ_AT_A_TIME, backpressure: READ_AHEAD })
    for await (const batch of batchesOf(prepared, BATCH)) {
      const computed = classifyBatch(model, batch)
      // A failure is thrown when its turn comes; until then it is no unhandled one.
      computed.catch(() => undefined)
      atEngine.push(computed)
      if (atEngine.length === AT_ENGINE) yield* (await atEngine.shift()) ?? []
    }
    for (const computed of atEngine) yield* await computed
  } finally {
    await model.compute.close()
  }
}

async function* batchesOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function prepare({ transforms, checkpoint }: TrainedModel, asked: Asked, withTile: boolean): Promise<Ready | Unreadable> {
  if (asked.problem !== undefined) return asked
  const { path } = asked
  const { imageSize } = checkpoint.network
  try {
    const { file, image } = await readImage(asked, decodeTarget(transforms, imageSize))
    return { path, pixels: evaluationPixels([image], imageSize, transforms.evaluation), tile: withTile ? await sheetImage(file, path) : undefined }
  } catch (error) {
    if (error instanceof DataError) return { path, problem: error.message }
    throw error
  }
}

async function classifyBatch(model: TrainedModel, batch: readonly (Ready | Unreadable)[]): Promise<Outcome[]> {
  const ready = batch.filter((one) => one.problem === undefined)
  const rows = ready.length === 0 ? [] : await probabilitiesFor(model, ready)
  return batch.map((one) => (one.problem === undefined ? { path: one.path, probabilities: rows[ready.indexOf(one)], tile: one.tile } : one))
}

async function probabilitiesFor({ compute, checkpoint: { network }, file }: TrainedModel, images: readonly Ready[]): Promise<Float64Array[]> {
  const pixels = Buffer.concat(images.map((image) => image.pixels))
  const probabilities = probabilitiesOf(await compute.logits(pixels, images.length), network.classes)
  if (probabilities === undefined) throw new CheckpointError(`${file} gives no numbers: its training diverged. Use an earlier checkpoint, or train with a smaller --lr.`)
  return probabilities
}
