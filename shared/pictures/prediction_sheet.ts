import { displayName } from '../data/class_names.ts'
import { decodeImage } from '../data/transforms/decode.ts'
import { contactSheet, TILE, type RawImage, type SheetItem } from './contact_sheet.ts'

/** An image on a sheet of predictions. */
export interface SheetPrediction {
  image: RawImage
  /** Name of the predicted class, as its folder is named. */
  predicted: string
  probability: number
  /** Name of the true class, if it is known, as its folder is named. */
  truth?: string
}

/**
 * Decodes an image file to the small size that a sheet needs, so that many can be held in memory. It is decoded as for training: whatever the
 * network can see, the sheet can show.
 * @param name the file's name, for error messages
 * @throws DataError that names the file if it cannot be decoded
 */
export async function sheetImage(file: Buffer, name: string): Promise<RawImage> {
  return { ...(await decodeImage(file, TILE, name)), channels: 3 }
}

/**
 * Draws images with their predictions below, in green or red if the true class is known.
 * @returns PNG
 */
export function predictionSheet(predictions: readonly SheetPrediction[]): Promise<Buffer> {
  return contactSheet(
    predictions.map(({ image, predicted, probability, truth }): SheetItem => {
      const label = `${displayName(predicted)} ${Math.round(probability * 100)} %`
      return truth === undefined ? { image, label } : { image, label, truth: displayName(truth), correct: truth === predicted }
    }),
  )
}
