import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parameterDigest } from '../shared/checkpoint/checkpoint.ts'
import type { Dataset } from '../shared/data/dataset.ts'
import type { ImageSource } from '../shared/data/image_source.ts'
import type { Network } from '../shared/network/network.ts'
import { predictionSheet, sheetImage } from '../shared/pictures/prediction_sheet.ts'
import { KeyedRandom, permutation, Purpose } from '../shared/random/philox.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import { scoreClasses, type TestPrediction, type TestScore } from '../shared/train/score.ts'
import { checkpointOf } from './checkpointing.ts'
import type { ClusterStatus } from './cluster.ts'
import { isFrequent, type Observer } from './events.ts'
import type { Model } from './model.ts'
import type { CoordinatorOptions } from './options.ts'
import type { EpochResult, Progress } from './training.ts'

/** Test images on the sheet of predictions. */
const SHEET_IMAGES = 12

export interface RecordParts {
  folder: RunFolder
  options: CoordinatorOptions
  /** What decides the run, as it goes into config.json and checkpoints. */
  config: Record<string, unknown>
  network: Network
  dataset: Dataset
  source: ImageSource
  stepsPerEpoch: number
  model: Model
  status: () => ClusterStatus
  observe: Observer
}

/** Keeps a run in its folder: history, plots and checkpoints as it goes, pictures and the summary when it ends. */
export class RunRecord {
  readonly #parts: RecordParts

  constructor(parts: RecordParts) {
    this.#parts = parts
  }

  /** events.jsonl. */
  readonly observe: Observer = (event) => {
    if (isFrequent(event)) return
    const { type, ...fields } = event
    this.#parts.folder.appendEvent(type, fields)
  }

  async writeConfig(): Promise<void> {
    await this.#parts.folder.writeConfig({ ...this.#parts.config, fingerprints: this.#parts.status().fingerprints })
  }

  async keepEpoch(result: EpochResult, progress: Progress): Promise<void> {
    const { folder, options, dataset, observe } = this.#parts
    const { epoch, train, test, images, seconds } = result
    const line = {
      epoch,
      trainLoss: train.loss,
      trainAccuracy: train.accuracy,
      testLoss: test.loss,
      testAccuracy: test.accuracy,
      learningRate: options.lr,
      images,
      seconds,
      imagesPerSecond: images / seconds,
      workers: this.#parts.status().workers,
    }
    folder.appendHistory({ ...line, step: progress.at.step })
    await this.saveCheckpoint(progress, epoch % options.checkpointEvery === 0 || epoch === options.epochs)
    await folder.writeCurves()
    await folder.writeConfusion(test.confusion, dataset.classes)
    observe({ type: 'epoch', ...line, epochs: options.epochs })
  }

  async saveCheckpoint(progress: Progress, keep: boolean): Promise<void> {
    const { folder, network, dataset, config, stepsPerEpoch, model, observe } = this.#parts
    const checkpoint = checkpointOf({ network, classes: dataset.classes, config, datasetDigest: dataset.digest, stepsPerEpoch }, model, progress)
    await folder.saveCheckpoint(checkpoint, { keep })
    observe({ type: 'checkpoint', file: folder.latestCheckpoint, epoch: checkpoint.position.epoch, step: progress.at.step })
  }

  /** The sheet of predictions on random test images, and summary.json. */
  async finish(last: { train: { loss: number }; test: TestScore }, progress: Progress, restarts: number): Promise<{ digest: string; sheet: string }> {
    const { folder, options, dataset, model } = this.#parts
    const status = this.#parts.status()
    const digest = parameterDigest(model.parameters)
    await folder.writeSummary({
      digest,
      epochs: progress.at.epoch - 1,
      steps: progress.at.step,
      trainLoss: last.train.loss,
      testLoss: last.test.loss,
      testAccuracy: last.test.accuracy,
      perClass: scoreClasses(last.test.confusion, dataset.classes),
      images: progress.images,
      imagesPerSecond: progress.seconds === 0 ? 0 : progress.images / progress.seconds,
      seconds: progress.seconds,
      engine: status.engine?.kind ?? 'native',
      device: status.engine?.device ?? 'cpu',
      precision: options.precision,
      lanes: options.lanes,
      batch: options.batch,
      workers: status.totals.mostWorkers,
      lanesComputed: status.totals.unitsDelivered,
      lanesCounted: status.totals.unitsCounted,
      lanesRecomputed: status.totals.unitsDealtAgain,
      workersLost: status.totals.workersLost,
      restarts,
      fingerprints: [...new Set(Object.values(status.fingerprints))],
    })
    return { digest, sheet: await this.#drawPredictions(last.test.predictions) }
  }

  async #drawPredictions(predictions: readonly TestPrediction[]): Promise<string> {
    const { folder, dataset, source, options } = this.#parts
    const chosen = [...permutation(predictions.length, new KeyedRandom(options.seed, Purpose.draw))].slice(0, SHEET_IMAGES).map((place) => predictions[place])
    const images = await source.read(chosen.map((prediction) => prediction.sample))
    const sheet = await predictionSheet(
      await Promise.all(
        chosen.map(async ({ sample, label, predicted, probability }, index) => ({
          image: await sheetImage(images[index], dataset.samples[sample].path),
          predicted: dataset.classes[predicted],
          probability,
          truth: dataset.classes[label],
        })),
      ),
    )
    const file = path.join(folder.plotsFolder, 'predictions.png')
    await writeFile(file, sheet)
    return file
  }
}
