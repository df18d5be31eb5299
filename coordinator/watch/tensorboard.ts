import os from 'node:os'
import sharp from 'sharp'
import { messageOf, WriteError } from '../../shared/kit/errors.ts'
import type { ShownPrediction } from '../../shared/run_folder/schemas.ts'
import { predictionSheet } from '../../shared/pictures/prediction_sheet.ts'
import { EventFile } from '../../shared/tensorboard/event_file.ts'
import type { Observer, RunEvent } from '../contract/events.ts'

export interface TensorBoardParts {
  /** The run's. */
  folder: string
  /** Is told, once, of a file that cannot be written. */
  observe: Observer
}

const JPEG_QUALITY = 85

type Evaluated = Extract<RunEvent, { type: 'evaluated' }>

/**
 * Writes the run for TensorBoard. Everything stands at the steps that are done, what belongs to an epoch too: one order of
 * all that there is, so that a run which goes on from a checkpoint takes the place of what it computes again.
 * A disk that refuses ends no training: what cannot be written waits.
 */
export class TensorBoardRecord {
  readonly #parts: TensorBoardParts
  #events: EventFile | undefined
  #resumedAt = 0
  /** Pictures that are being drawn. */
  #drawing: Promise<void> = Promise.resolve()
  #unwritable = false

  constructor(parts: TensorBoardParts) {
    this.#parts = parts
  }

  readonly observe: Observer = (event) => {
    switch (event.type) {
      case 'resumed':
        this.#resumedAt = event.step
        break
      case 'step':
        this.#write((file) =>
          file.scalars(event.step, {
            'train/loss': event.loss,
            'train/accuracy': event.accuracy,
            'train/images_per_second': event.samples / event.seconds,
            'train/gradient_norm': event.gradientNorm,
          }),
        )
        break
      case 'evaluated':
        this.#write((file) => file.scalars(event.step, classAccuracies(event)))
        this.#draw(event)
        break
      case 'epoch':
        this.#write((file) => {
          file.scalars(event.step, {
            'epoch/train_loss': event.trainLoss,
            'epoch/test_loss': event.testLoss,
            'epoch/train_accuracy': event.trainAccuracy,
            'epoch/test_accuracy': event.testAccuracy,
            learning_rate: event.learningRate,
          })
          file.flush()
        })
        break
      // Nothing may come for a long time.
      case 'waiting':
      case 'stopped':
      case 'finished':
        this.#flush()
        break
      default:
    }
  }

  /** Settles when everything is written that can be. */
  async close(): Promise<void> {
    await this.#drawing
    this.#flush()
  }

  /** A run of which there is nothing yet has no file. */
  #flush(): void {
    if (this.#events !== undefined) this.#write((file) => file.flush())
  }

  #draw({ step, predictions }: Evaluated): void {
    if (predictions.length === 0) return
    const draw = async (): Promise<void> => {
      const { jpeg, width, height } = await sheetOf(predictions)
      this.#write((file) => file.image(step, 'test/predictions', jpeg, width, height))
    }
    this.#drawing = Promise.all([this.#drawing, draw()]).then(
      () => undefined,
      (error: unknown) => this.#cannotWrite(`the sheet of predictions for TensorBoard cannot be drawn: ${messageOf(error)}.`),
    )
  }

  #write(write: (file: EventFile) => void): void {
    try {
      this.#events ??= EventFile.open(this.#parts.folder, this.#resumedAt + 1, { now: () => Date.now() / 1000, host: os.hostname(), pid: process.pid })
      write(this.#events)
    } catch (error) {
      if (!(error instanceof WriteError)) throw error
      this.#cannotWrite(error.message)
    }
  }

  /** Said once: the warning says that training goes on. */
  #cannotWrite(reason: string): void {
    if (this.#unwritable) return
    this.#unwritable = true
    this.#parts.observe({ type: 'writeFailed', file: this.#events?.file ?? this.#parts.folder, reason })
  }
}

/** Of the classes that have test images. */
function classAccuracies({ classes, confusion }: Evaluated): Record<string, number> {
  const rows = classes.map((name, index) => ({ name, right: confusion[index][index], images: confusion[index].reduce((sum, count) => sum + count, 0) }))
  return Object.fromEntries(rows.filter(({ images }) => images > 0).map(({ name, right, images }) => [`class/${name}`, right / images]))
}

async function sheetOf(predictions: readonly ShownPrediction[]): Promise<{ jpeg: Buffer; width: number; height: number }> {
  const png = await predictionSheet(
    await Promise.all(
      predictions.map(async ({ image, predicted, probability, truth }) => {
        const { data, info } = await sharp(Buffer.from(image, 'base64')).removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
        return { image: { data, width: info.width, height: info.height, channels: 3 as const }, predicted, probability: probability ?? Number.NaN, truth }
      }),
    ),
  )
  // A sheet of each epoch: as PNG, photographs would take megabytes.
  const { data, info } = await sharp(png).removeAlpha().jpeg({ quality: JPEG_QUALITY }).toBuffer({ resolveWithObject: true })
  return { jpeg: data, width: info.width, height: info.height }
}
