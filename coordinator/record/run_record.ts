import path from 'node:path'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { parameterDigest } from '../../shared/checkpoint/checkpoint.ts'
import type { Dataset } from '../../shared/data/dataset.ts'
import type { ImageSource } from '../../shared/data/sources/image_source.ts'
import { messageOf, WriteError } from '../../shared/kit/errors.ts'
import type { AuditedSteps } from '../../shared/lanes/audited_steps.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import { thawed } from '../../shared/model/frozen.ts'
import type { Network } from '../../shared/model/network.ts'
import type { Optimizer } from '../../shared/optim/optimizer.ts'
import { DrawingThread } from '../../shared/pictures/drawing_thread.ts'
import { predictionSheet, sheetImage } from '../../shared/pictures/prediction_sheet.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { Summary } from '../../shared/run_folder/schemas.ts'
import { scoreClasses, type TestPrediction, type TestScore } from '../../shared/evaluation/score.ts'
import { Checkpointer, type CheckpointerParts } from './checkpointer.ts'
import type { HeldState, EpochResult, Progress } from '../contract/progress.ts'
import { checkpointFacts } from './checkpoint_position.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import { isFrequent, isLarge, type Observer, type RunEvent } from '../contract/events.ts'
import type { RunOptions } from '../options.ts'
import type { Weights } from '../exchange/reduction.ts'
import { DigestRecord } from './digest_record.ts'
import { bestEpoch, stopsAfter, type BestEpoch } from '../contract/best_epoch.ts'
import { plotsOf } from './plots.ts'
import { ProvenanceRecord } from './provenance.ts'
import { writeReport } from './report.ts'
import { choosePredictions, showPredictions } from '../../shared/run_folder/shown_predictions.ts'

export interface RecordParts {
  folder: RunFolder
  /** @throws TakenOverError if another process writes into the folder by now: nothing is saved there any more */
  requireOurs: () => Promise<void>
  options: RunOptions
  recipe: Recipe
  /** Steps after which digests are noted; undefined: after none. */
  audit: AuditedSteps | undefined
  /** Signs provenance.json; undefined if nobody does. */
  sign: ((bytes: Uint8Array) => Buffer) | undefined
  /** Everything that decides the run, for config.json and checkpoints. */
  config: Record<string, unknown>
  network: Network
  /** Moments are those of the parameters that are not frozen. */
  optimizer: Pick<Optimizer, 'name' | 'moments'>
  dataset: Dataset
  source: ImageSource
  stepsPerEpoch: number
  weights: Weights
  status: () => ClusterStatus
  /** Returns the learning rate of an update, by its number from 1. */
  rateOf: (update: number) => number
  /** Seconds on a monotonic clock. */
  now: () => number
  observe: Observer
}

/**
 * Records a run in its folder: history, plots and checkpoints during training, pictures and the summary at its end. A write error does
 * not end training: it is reported, and lines of history and events wait in memory.
 */
export class RunRecord {
  readonly #parts: RecordParts
  readonly #checkpointer: Checkpointer
  readonly #drawing = new DrawingThread()
  readonly #digests: DigestRecord
  readonly #provenance: ProvenanceRecord
  readonly #plots: ReturnType<typeof plotsOf>
  /** Test accuracy by epoch, in the order of epochs. */
  readonly #accuracies = new Map<number, number>()
  /** Files whose last write failed, which has been reported. */
  readonly #unwritable = new Set<string>()
  /** Events from before `begin`, when nothing may be written into the folder yet; undefined afterwards. */
  #early: RunEvent[] | undefined = []

  constructor(parts: RecordParts) {
    this.#parts = parts
    const { folder, requireOurs, options, recipe, audit, sign, network, optimizer: { name, moments }, dataset, config, stepsPerEpoch, weights, status, now, observe } = parts
    const about = { network: thawed(network), frozen: network.frozen, classes: dataset.classes, config, optimizer: { name, moments: [...moments] }, datasetDigest: dataset.digest, stepsPerEpoch }
    const { checkpoints } = folder
    const fenced: CheckpointerParts['folder'] = {
      latest: checkpoints.latest, ofEpoch: (epoch) => checkpoints.ofEpoch(epoch), ofStep: (step) => checkpoints.ofStep(step),
      save: async (checkpoint, how) => {
        await requireOurs()
        const head = await this.#digests.kept()
        const bytes = await checkpoints.save(checkpoint, how)
        await this.#tolerate(folder.provenanceFile, this.#provenance.write(head))
        return bytes
      },
    }
    this.#digests = new DigestRecord({ folder, audit, recipe, datasetDigest: dataset.digest, weights, append: (line) => void this.#tolerate(folder.digestsFile, folder.digests.append(line)) })
    this.#provenance = new ProvenanceRecord({ folder, recipe, datasetDigest: dataset.digest, sign, status })
    this.#checkpointer = new Checkpointer({ folder: fenced, weights, factsOf: (progress) => checkpointFacts(about, progress), everySeconds: options.checkpointMinutes * 60, now, observe })
    this.#plots = plotsOf({ folder, classes: dataset.classes, draw: (drawing) => this.#drawing.draw(drawing), now })
  }

  /** Notes events in events.jsonl. */
  readonly observe: Observer = (event) => {
    if (isLarge(event) || (isFrequent(event) && !this.#parts.options.stepEvents)) return
    if (this.#early === undefined) this.#note(event)
    else this.#early.push(event)
  }

  /**
   * Takes over the folder, in which nothing is touched before: repairs what a crash left there, drops the history of epochs that
   * will be trained again, and writes config.json and the events so far. The chain of digests goes on from there, and provenance.json stands for it.
   */
  async begin(progress: Progress): Promise<void> {
    const { folder, observe } = this.#parts
    const repairs = await folder.repair()
    await folder.truncateHistory(progress.at.epoch - 1)
    for (const { epoch, testAccuracy } of await folder.readHistory()) this.#accuracies.set(epoch, testAccuracy)
    await this.#writeConfig()
    const early = this.#early ?? []
    this.#early = undefined
    early.forEach((event) => this.#note(event))
    const lost = [await this.#digests.begin(progress.at), await this.#provenance.begin(progress.at.step)].filter((what) => what !== undefined)
    for (const what of [...repairs, ...lost]) observe({ type: 'repaired', what })
    await this.#tolerate(folder.provenanceFile, this.#writeProvenance())
  }

  /**
   * Saves a checkpoint before the first step, so that the run can be resumed from its first moment on.
   * @throws RunError if it cannot be saved: nothing is lost yet, and nothing of the run would be kept
   */
  async keepBeginning(progress: Progress): Promise<void> {
    await this.#checkpointer.saveFirst(progress)
  }

  /** Returns true if the run, which may stop early, has no epoch after this one. */
  stopsAfter(epoch: number): boolean {
    return stopsAfter(epoch, this.#accuracies, this.#parts.recipe.earlyStop)
  }

  /** The epoch with the highest test accuracy. */
  get best(): BestEpoch | undefined {
    const epoch = bestEpoch(this.#accuracies)
    return epoch === undefined ? undefined : { epoch, accuracy: this.#accuracies.get(epoch) ?? 0, isLast: !this.#accuracies.has(epoch + 1) }
  }

  /** Writes nothing into the folder from now on, since another process has it. */
  abandon(): void {
    this.#early = []
    this.#parts.folder.abandon()
  }

  /** Notes the digests of a step, if they are due. To be called between two steps. */
  keepDigests(at: StepPosition, lanes: readonly LaneReport[]): Promise<void> {
    return this.#digests.step(at, lanes)
  }

  /** Begins to save a checkpoint in the background, if one is due. To be called between two steps. */
  keepStep(progress: Progress): void {
    this.#checkpointer.offer(progress)
  }

  /** True if a checkpoint is due and none is being saved. */
  get keepIsDue(): boolean {
    return this.#checkpointer.isDue
  }

  /** Copies weights and moments. To be called between two steps. */
  hold(): HeldState {
    return this.#checkpointer.hold()
  }

  /**
   * Saves the result of an epoch: history, checkpoint, plots, evaluation.json.
   * @param progress position at the beginning of the next epoch
   * @param held snapshot at that position
   */
  async keepEpoch(result: EpochResult, progress: Progress, held: HeldState): Promise<void> {
    const { folder, options, observe } = this.#parts
    const { epoch, train, test, images, skippedSteps, seconds } = result
    const line = {
      epoch,
      skippedSteps,
      trainLoss: train.loss,
      trainAccuracy: train.accuracy,
      testLoss: test.loss,
      testAccuracy: test.accuracy,
      learningRate: this.#parts.rateOf(Math.max(progress.at.step - progress.skippedSteps, 1)),
      images,
      seconds,
      imagesPerSecond: images / seconds,
      workers: this.#parts.status().workers,
      step: progress.at.step,
    }
    this.#accuracies.set(epoch, test.accuracy)
    await this.#tolerate(folder.historyFile, folder.appendHistory(line))
    await this.#checkpointer.save(progress, { keep: epoch % options.checkpointEvery === 0 || epoch === options.epochs || this.stopsAfter(epoch), best: bestEpoch(this.#accuracies) === epoch, held })
    if (options.pictures === 'on') await this.#tolerate(folder.plotsFolder, this.#plots.take(test))
    await this.#tolerate(folder.evaluationFile, this.#keepEvaluation(epoch, progress.at.step, test))
    observe({ type: 'epoch', ...line, epochs: options.epochs })
  }

  /**
   * Saves the last checkpoint of a stopped run, with config.json and plots.
   * @param held snapshot at `progress`, if that is not the current state
   * @throws RunError if the checkpoint cannot be saved
   */
  async keepEnd(progress: Progress, held?: HeldState): Promise<void> {
    await this.#checkpointer.saveLast(progress, { keep: false, held })
    await this.#tolerate(this.#parts.folder.configFile, this.#writeConfig())
    await this.#tolerate(this.#parts.folder.provenanceFile, this.#writeProvenance())
    await this.#tolerate(this.#parts.folder.plotsFolder, this.#plots.handleRest())
  }

  /**
   * Saves the last checkpoint, summary.json, the sheet of predictions on random test images, and the report.
   * @param restarts number of times that the run was resumed
   * @returns the digest of the weights, the path of the sheet (undefined: the run has no pictures, and no report), and the summary
   * @throws RunError if config.json, summary.json, the checkpoint, or a line of history or events cannot be written in the end
   */
  async finish(last: { train: { loss: number }; test: TestScore }, progress: Progress, restarts: number): Promise<{ digest: string; sheet: string | undefined; summary: Summary }> {
    const { folder, options, dataset, weights } = this.#parts
    await this.#checkpointer.saveLast(progress, { keep: true })
    await this.#writeConfig()
    const status = this.#parts.status()
    const digest = parameterDigest(await weights.parameters())
    const digests = await this.#digests.kept()
    const summary: Summary = {
      digest,
      epochs: progress.at.epoch - 1,
      steps: progress.at.step,
      skippedSteps: progress.skippedSteps,
      trainLoss: last.train.loss,
      testLoss: last.test.loss,
      testAccuracy: last.test.accuracy,
      perClass: scoreClasses(last.test, dataset.classes),
      images: progress.images,
      imagesPerSecond: progress.seconds === 0 ? 0 : progress.images / progress.seconds,
      seconds: progress.seconds,
      engine: status.engine?.kind ?? 'native',
      device: status.engine?.device ?? 'cpu',
      precision: options.precision,
      lanes: options.lanes,
      batch: options.batch,
      workers: status.totals.mostWorkers,
      lanesComputed: status.totals.lanesDelivered,
      lanesCounted: status.totals.lanesCounted,
      lanesRecomputed: status.totals.lanesDealtAgain,
      lanesTakenOver: status.totals.lanesTakenOver,
      workersLost: status.totals.workersLost,
      restarts,
      fingerprints: [...new Set(Object.values(status.fingerprints))],
      ...(digests === undefined ? {} : { digests }),
    }
    await folder.writeSummary(summary)
    await this.#writeProvenance()
    const sheet = options.pictures === 'on' ? await this.#drawLast(last.test, summary) : undefined
    await folder.flush()
    return { digest, sheet, summary }
  }

  /** Settles when nothing is being written or drawn any more. */
  async close(): Promise<void> {
    await this.#checkpointer.idle()
    await this.#drawing.close()
    await this.#parts.folder.settled()
  }

  /** Draws the pictures of the run's end, and writes the report. @returns the path of the sheet of predictions */
  async #drawLast({ predictions }: TestScore, summary: Summary): Promise<string> {
    const { folder, dataset, source } = this.#parts
    const { plotsFolder, reportFile } = folder
    const sheet = path.join(plotsFolder, 'predictions.png')
    await this.#tolerate(plotsFolder, this.#plots.handleRest())
    await this.#tolerate(plotsFolder, this.#drawPredictions(predictions, sheet))
    await this.#tolerate(reportFile, writeReport({ folder, dataset, source, draw: (drawing) => this.#drawing.draw(drawing) }, summary, predictions))
    return sheet
  }

  async #writeConfig(): Promise<void> {
    await this.#parts.folder.writeConfig({ ...this.#parts.config, fingerprints: this.#parts.status().fingerprints })
  }

  async #writeProvenance(): Promise<void> {
    await this.#provenance.write(await this.#digests.kept())
  }

  #note({ type, ...fields }: RunEvent): void {
    const { folder } = this.#parts
    void this.#tolerate(folder.eventsFile, folder.appendEvent(type, fields))
  }

  /** Waits for what will be written again anyway, as pictures are after the next epoch, or a line with the next one; a failure is only reported. */
  async #tolerate(place: string, written: Promise<void>): Promise<void> {
    try {
      await written
      this.#unwritable.delete(place)
    } catch (error) {
      this.#cannotWrite(place, error)
    }
  }

  /** Reports the failure to write a file, once until a write succeeds again. */
  #cannotWrite(place: string, error: unknown): void {
    if (this.#unwritable.has(place)) return
    this.#unwritable.add(place)
    this.#parts.observe({ type: 'writeFailed', file: place, reason: error instanceof WriteError ? error.message : `${place} cannot be written: ${messageOf(error)}.` })
  }

  /** Writes evaluation.json with predictions on some test images, and reports the evaluation as an event. */
  async #keepEvaluation(epoch: number, step: number, { confusion, cells, predictions }: TestScore): Promise<void> {
    const { folder, dataset, source, options, observe } = this.#parts
    const { classes } = dataset
    const shown = options.pictures === 'on' ? await showPredictions(choosePredictions(predictions, options.seed, epoch), dataset, source) : []
    const evaluation = { epoch, classes, confusion, ...(cells === undefined ? {} : { cells }), predictions: shown }
    await folder.writeEvaluation(evaluation)
    observe({ type: 'evaluated', step, ...evaluation })
  }

  async #drawPredictions(predictions: readonly TestPrediction[], file: string): Promise<void> {
    const { dataset, source, options } = this.#parts
    const chosen = choosePredictions(predictions, options.seed, 0)
    const images = await source.read(chosen.map((prediction) => prediction.sample))
    const sheet = await predictionSheet(
      await Promise.all(
        chosen.map(async ({ sample, label, predicted, probability }, index) => ({
          image: await sheetImage(images[index], dataset.samples.path(sample)),
          predicted: dataset.classes[predicted],
          probability,
          truth: dataset.classes[label],
        })),
      ),
    )
    await writeAtomically(file, [sheet])
  }
}
