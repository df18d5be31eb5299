import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { collectCertificateMetrics } from '../../shared/http/certificate_metrics.ts'
import { collectProcessMetrics } from '../../shared/http/metrics_server.ts'
import type { TlsFiles } from '../../shared/security/tls.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import { nameOfModel } from '../../shared/model/models.ts'
import { checkResults } from '../../shared/run_folder/run_events.ts'
import { scoreClasses } from '../../shared/evaluation/score.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import { ClusterMetrics } from './cluster_metrics.ts'
import { isFrequent, isLarge, type Observer, type RunEvent } from '../contract/events.ts'
import type { StepSplit } from '../contract/step_split.ts'

/** Upper bounds of a step's seconds: from a tiny network on loopback to a large one on few cores. */
const STEP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** Upper bounds of the seconds that writing a checkpoint takes. */
const CHECKPOINT_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** The most classes for which the confusion matrix is exported, since it has their square in series; evaluation.json has larger ones. */
const MAX_CONFUSION_CLASSES = 32
/** The most classes that get a series for their accuracy. */
const MAX_CLASSES = 1000

/** Kinds of events that dashboards and alerts query. */
const COUNTED_FROM_ZERO: RunEvent['type'][] = [
  'workerJoined', 'workerLost', 'workerLeft', 'waiting', 'goingOn', 'dealtAgain', 'resumed', 'checkpoint', 'checkpointFailed', 'writeFailed', 'gradientNotFinite', 'lossNotFinite', 'fingerprintsDiffer', 'workerLied', 'uploadUnfinished',
]

/** The facts about a run that are known before its first step. */
export interface RunLabels {
  name: string
  recipe: Partial<Recipe>
  stepsPerEpoch: number
  /** Number of workers that the run is meant to have; with --min-workers it begins with fewer. */
  workersWanted: number
}

/** The run's metrics for Prometheus (docs/metrics.md has their list). */
export class CoordinatorMetrics {
  readonly registry = new Registry()
  readonly observe: Observer
  /** Sets the metrics that describe the run; called before its first step. */
  readonly describe: (run: RunLabels) => void
  readonly #status: () => ClusterStatus | undefined

  /** @param status called at each scrape @param now returns seconds since 1970 @param tls the coordinator's certificates */
  constructor(status: () => ClusterStatus | undefined, now: () => number, tls: TlsFiles | undefined) {
    this.#status = status
    const registers = [this.registry]
    collectProcessMetrics(this.registry)
    collectCertificateMetrics(this.registry, 'herd_certificate_expiry_timestamp_seconds', tls)
    new ClusterMetrics(this.registry, status)
    const gauge = <L extends string = never>(name: string, help: string, labelNames: L[] = []): Gauge<L> => new Gauge({ name, help, labelNames, registers })
    const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []): Counter<L> => new Counter({ name, help, labelNames, registers })

    const info = gauge('herd_run_info', '1; what the run trains, and how, is in the labels.', ['model', 'engine', 'precision', 'image_size', 'batch', 'lanes'])
    const epochsWanted = gauge('herd_epochs_wanted', 'Epochs that the run is to have.')
    const stepsPerEpoch = gauge('herd_steps_per_epoch', 'Steps of an epoch.')
    const learningRate = gauge('herd_learning_rate', 'Learning rate.')
    const workersWanted = gauge('herd_workers_wanted', 'Workers that the run is to have; with --min-workers it begins with fewer.')
    const loss = gauge('herd_loss', 'Cross entropy: of the last step (train_step), of the last epoch (train, test).', ['phase'])
    const accuracy = gauge('herd_accuracy_ratio', 'Share of images classified right: of the last step (train_step), of the last epoch (train, test).', ['phase'])
    const classAccuracy = gauge('herd_class_accuracy_ratio', 'Share of the test images of a class that were classified right, in the last epoch.', ['class'])
    const confusion = gauge('herd_confusion_images', 'Test images of a class by the class that they were taken for, in the last epoch.', ['class', 'predicted'])
    const gradientNorm = gauge('herd_gradient_norm', 'Norm of the last gradient: L2, of the mean over the batch.')
    const epoch = gauge('herd_epoch', 'Epochs that are complete.')
    const step = gauge('herd_step', 'Steps of the run that are done, those that were left out included.')
    const images = counter('herd_images_total', 'Training images that were counted.')
    const throughput = gauge('herd_images_per_second', 'Training images a second, over the last step.')
    const stepSeconds = new Histogram({ name: 'herd_step_duration_seconds', help: 'Time of a step: lanes, reduce, optimizer, broadcast.', buckets: STEP_BUCKETS, registers })
    const phaseSeconds = counter('herd_step_phase_seconds_total', 'What the time of steps went to: waiting for lanes, summing them, the optimizer, handing out weights.', ['phase'])
    const lost = counter('herd_workers_lost_total', 'Workers that were lost.')
    const dealt = counter('herd_units_dealt_total', 'Lanes (train) and test blocks (evaluate) that were dealt, those that were dealt again included.', ['kind'])
    const dealtAgain = counter('herd_units_dealt_again_total', 'Lanes and test blocks that were dealt again after a worker was lost.')
    const takenOver = counter('herd_units_taken_over_total', 'Lanes and test blocks of stragglers that were given to a worker that had nothing to do.')
    const dropped = counter('herd_units_dropped_total', 'Results that were not counted: late, or of a worker that was out.')
    const skippedSteps = counter('herd_skipped_steps_total', 'Steps that were left out, since their gradient was not finite.')
    const checks = counter('herd_checks_total', 'Sums of gradients that other workers were asked to compute too, by what came of it.', ['result'])
    const checkpoints = counter('herd_checkpoints_total', 'Checkpoints that were written.')
    const checkpointFailures = counter('herd_checkpoint_failures_total', 'Checkpoints that could not be written; each is tried again.')
    const checkpointBytes = gauge('herd_checkpoint_size_bytes', 'Size of the last checkpoint.')
    const checkpointSeconds = new Histogram({ name: 'herd_checkpoint_duration_seconds', help: 'Time of writing a checkpoint.', buckets: CHECKPOINT_BUCKETS, registers })
    const checkpointTime = gauge('herd_checkpoint_last_success_timestamp_seconds', 'When the last checkpoint was written, in seconds since 1970.')
    const writeFailures = counter('herd_write_failures_total', 'Outages of history, events or plots: times that one could not be written after it could.')
    const restarts = gauge('herd_restarts', 'How often the run has been resumed.')
    const events = counter('herd_events_total', 'What events.jsonl is told of, by kind.', ['kind'])

    // Counters start at 0, so that Prometheus sees the first event of a kind as an increase.
    for (const kind of COUNTED_FROM_ZERO) events.inc({ kind }, 0)
    for (const result of checkResults) checks.inc({ result }, 0)

    this.describe = (run) => {
      this.registry.setDefaultLabels({ run: run.name })
      const { model = '', engine = '', precision = '', imageSize = 0, batch = 0, lanes = 0, epochs = 0, lr = 0 } = run.recipe
      info.set({ model: nameOfModel(model), engine, precision, image_size: imageSize, batch, lanes }, 1)
      epochsWanted.set(epochs)
      stepsPerEpoch.set(run.stepsPerEpoch)
      learningRate.set(lr)
      workersWanted.set(run.workersWanted)
    }

    const countStep = (event: Extract<RunEvent, { type: 'step' }>): void => {
      loss.set({ phase: 'train_step' }, event.loss)
      accuracy.set({ phase: 'train_step' }, event.accuracy)
      gradientNorm.set(event.gradientNorm)
      step.set(event.step)
      images.inc(event.samples)
      throughput.set(event.samples / event.seconds)
      stepSeconds.observe(event.seconds)
      for (const phase of Object.keys(event.split) as (keyof StepSplit)[]) phaseSeconds.inc({ phase }, event.split[phase])
    }

    const countClasses = (evaluated: Extract<RunEvent, { type: 'evaluated' }>): void => {
      const { classes, confusion: matrix } = evaluated
      for (const [name, { accuracy: share }] of Object.entries(scoreClasses(evaluated, classes)).slice(0, MAX_CLASSES)) classAccuracy.set({ class: name }, share)
      if (classes.length > MAX_CONFUSION_CLASSES) return
      matrix.forEach((row, label) => row.forEach((count, predicted) => confusion.set({ class: classes[label], predicted: classes[predicted] }, count)))
    }

    this.observe = (event) => {
      if (!isFrequent(event) && !isLarge(event)) events.inc({ kind: event.type })
      switch (event.type) {
        case 'resumed':
          epoch.set(event.epoch - 1)
          step.set(event.step)
          restarts.set(event.restarts)
          break
        case 'step':
          countStep(event)
          break
        case 'gradientNotFinite':
          if (event.action === 'stop') break
          step.set(event.step)
          skippedSteps.inc()
          break
        case 'epoch':
          loss.set({ phase: 'train' }, event.trainLoss)
          loss.set({ phase: 'test' }, event.testLoss)
          accuracy.set({ phase: 'train' }, event.trainAccuracy)
          accuracy.set({ phase: 'test' }, event.testAccuracy)
          epoch.set(event.epoch)
          learningRate.set(event.learningRate)
          break
        case 'evaluated':
          countClasses(event)
          break
        case 'workerLost':
          lost.inc()
          break
        case 'dealt':
          dealt.inc({ kind: event.kind === 'TRAIN' ? 'train' : 'evaluate' }, event.units.length)
          break
        case 'dealtAgain':
          dealtAgain.inc(event.units.length)
          break
        case 'takenOver':
          takenOver.inc(event.units.length)
          break
        case 'dropped':
          dropped.inc(event.units)
          break
        case 'checked':
          checks.inc({ result: event.result })
          break
        case 'checkpoint':
          checkpoints.inc()
          checkpointBytes.set(event.bytes)
          checkpointSeconds.observe(event.seconds)
          checkpointTime.set(now())
          break
        case 'checkpointFailed':
          checkpointFailures.inc()
          break
        case 'writeFailed':
          writeFailures.inc()
          break
        default:
      }
    }
  }

  /** Returns the reason why the run cannot train now, for the readiness probe; undefined if it can. */
  readonly unready = (): string | undefined => {
    const status = this.#status()
    if (status === undefined) return 'the run is being prepared'
    return status.waiting ? `waiting for workers: ${status.workers} of ${status.workersWanted} are in` : undefined
  }
}
