import sharp from 'sharp'
import type { Dataset } from '../data/dataset.ts'
import type { ImageSource } from '../data/sources/image_source.ts'
import type { ShownPrediction } from './schemas.ts'
import { sheetImage } from '../pictures/prediction_sheet.ts'
import { KeyedRandom, permutation, Purpose } from '../random/philox.ts'
import type { TestPrediction } from '../evaluation/score.ts'

/** Number of test images that are shown. */
export const SHOWN_IMAGES = 12
const QUALITY = 75

/** Picks random test predictions: others in each epoch, the same in each run with the same seed. */
export function choosePredictions(predictions: readonly TestPrediction[], seed: number, epoch: number): TestPrediction[] {
  return [...permutation(predictions.length, new KeyedRandom(seed, Purpose.draw, epoch))].slice(0, SHOWN_IMAGES).map((place) => predictions[place])
}

/** Makes small pictures of test images, as base64 of WebP, with the network's predictions for them. */
export async function showPredictions(chosen: readonly TestPrediction[], dataset: Dataset, source: ImageSource): Promise<ShownPrediction[]> {
  const files = await source.read(chosen.map(({ sample }) => sample))
  return Promise.all(
    chosen.map(async ({ sample, label, predicted, probability }, index) => {
      const path = dataset.samples.path(sample)
      const { data, width, height, channels } = await sheetImage(files[index], path)
      const picture = await sharp(data, { raw: { width, height, channels } }).webp({ quality: QUALITY }).toBuffer()
      return {
        path, truth: dataset.classes[label], predicted: dataset.classes[predicted],
        probability: Number.isFinite(probability) ? probability : null,
        image: picture.toString('base64'),
      }
    }),
  )
}
