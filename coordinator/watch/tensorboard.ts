import os from 'node:os'
import sharp from 'sharp'
import { MOST_IN_MATRIX, resultsByClass } from '../../shared/evaluation/confusion.ts'
import { messageOf } from '../../shared/kit/errors.ts'
import { Paced } from '../../shared/kit/paced.ts'
import type { ShownPrediction } from '../../shared/run_folder/schemas.ts'
import { predictionSheet } from '../../shared/pictures/prediction_sheet.ts'
import { EventFile } from '../../shared/tensorboard/event_file.ts'
import type { Observer, RunEvent } from '../contract/events.ts'

export interface TensorBoardParts {
  /** Folder of the run. */
  folder: string
  /** Receives one `writeFailed` event if the file cannot be written. */
  observe: Observer
  /** Seconds on a monotonic clock. */
  now: () => number
}

/** Shortest time between two sheets of predictions. Drawing one takes a third of a second of CPU time, so not every short epoch gets one. */
const SECONDS_BETWEEN_SHEETS = 10
const JPEG_QUALITY = 85

type Evaluated = Extract<RunEvent, { type: 'evaluated' }>

/**
 * Writes the curves of a run for TensorBoard. All values, those of an epoch too, are logged at the number of steps done. They
 * share one x axis, so a resumed run replaces exactly the points that it computes again. A write error does not end
 * training: events that cannot be written wait in memory.
 */
export class TensorBoardRecord {
  readonly #parts: TensorBoardParts
  #events: EventFile | undefined
  readonly #sheets: Paced<Evaluated>
  #resumedAt = 0
  /** Settles when all sheets of predictions so far are drawn. */
  #drawing: Promise<void> = Promise.resolve()
  /** Settles when what was added last is in the file or waits; a flush is in the file after all before it. */
  #writing: Promise<void> = Promise.resolve()
  #unwritable = false

  constructor(parts: TensorBoardParts) {
    this.#parts = parts
    this.#sheets = new Paced({ seconds: SECONDS_BETWEEN_SHEETS, now: parts.now, handle: (event) => this.#drawSheet(event) })
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
        if (event.predictions.length > 0) this.#draw(() => this.#sheets.take(event))
        break
      case 'epoch':
        this.#write((file) =>
          file.scalars(event.step, {
            'epoch/train_loss': event.trainLoss,
            'epoch/test_loss': event.testLoss,
            'epoch/train_accuracy': event.trainAccuracy,
            'epoch/test_accuracy': event.testAccuracy,
            learning_rate: event.learningRate,
          }),
        )
        this.#flush()
        break
      // No event may follow for a long time.
      case 'waiting':
      case 'stopped':
      case 'finished':
        this.#flush()
        break
      default:
    }
  }

  /** Settles when everything that can be written is written. */
  async close(): Promise<void> {
    this.#draw(() => this.#sheets.handleRest())
    await this.#drawing
    this.#flush()
    await this.#writing
  }

  /** Writes buffered events. Creates no file for a run that has logged nothing yet. */
  #flush(): void {
    if (this.#events !== undefined) this.#write((file) => file.flush())
  }

  #draw(draw: () => Promise<void>): void {
    this.#drawing = this.#drawing.then(draw).catch((error: unknown) => this.#cannotWrite(`the sheet of predictions for TensorBoard cannot be drawn: ${messageOf(error)}.`))
  }

  async #drawSheet({ step, predictions }: Evaluated): Promise<void> {
    const { jpeg, width, height } = await sheetOf(predictions)
    this.#write((file) => file.image(step, 'test/predictions', jpeg, width, height))
  }

  #write(write: (file: EventFile) => Promise<void>): void {
    this.#events ??= EventFile.open(this.#parts.folder, this.#resumedAt + 1, { now: () => Date.now() / 1000, host: os.hostname(), pid: process.pid })
    this.#writing = write(this.#events).catch((error: unknown) => this.#cannotWrite(messageOf(error)))
  }

  /** Reports the first failure only. */
  #cannotWrite(reason: string): void {
    if (this.#unwritable) return
    this.#unwritable = true
    this.#parts.observe({ type: 'writeFailed', file: this.#events?.file ?? this.#parts.folder, reason })
  }
}

/** Computes the accuracy of each class that has test images, keyed by TensorBoard tag. */
function classAccuracies(evaluated: Evaluated): Record<string, number> {
  const { classes } = evaluated
  // A curve for each of thousands of classes would be looked at by nobody, and would fill the disk.
  const rows = classes.length > MOST_IN_MATRIX ? [] : resultsByClass(evaluated, classes.length).map((result, index) => ({ name: classes[index], ...result }))
  return Object.fromEntries(rows.filter(({ images }) => images > 0).map(({ name, correct, images }) => [`class/${name}`, correct / images]))
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
  // JPEG, since one sheet is logged per epoch and photographs as PNG would take megabytes.
  const { data, info } = await sharp(png).removeAlpha().jpeg({ quality: JPEG_QUALITY }).toBuffer({ resolveWithObject: true })
  return { jpeg: data, width: info.width, height: info.height }
}
