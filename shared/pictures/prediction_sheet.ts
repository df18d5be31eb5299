import { displayName } from '../data/class_names.ts'
import { decodeImage } from '../data/transforms/decode.ts'
import { contactSheet, TILE, type RawImage, type SheetItem } from './contact_sheet.ts'

/** An image on a sheet of predictions. */
export interface SheetPrediction {
  image: RawImage
  /** Class names, as folders have them. */
  predicted: string
  probability: number
  /** Where it is known. */
  truth?: string
}

/**
 * An image file as small as a sheet needs it, so that many can be held at once. It is decoded as for training: whatever
 * the network can see, the sheet can show.
 * @throws DataError that names the file.
 */
export async function sheetImage(file: Buffer, name: string): Promise<RawImage> {
  return { ...(await decodeImage(file, TILE, name)), channels: 3 }
}

/** Draws images with their predictions below, green and red where the truth is known. @returns PNG */
export function predictionSheet(predictions: readonly SheetPrediction[]): Promise<Buffer> {
  return contactSheet(
    predictions.map(({ image, predicted, probability, truth }): SheetItem => {
      const label = `${displayName(predicted)} ${Math.round(probability * 100)} %`
      return truth === undefined ? { image, label } : { image, label, truth: displayName(truth), correct: truth === predicted }
    }),
  )
}
