import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { collectProcessMetrics } from '../shared/metrics_server.ts'
import type { ClusterStatus } from './cluster.ts'
import type { Observer } from './events.ts'

/** The run's metrics for Prometheus (docs/metrics.md has their list). */
export class CoordinatorMetrics {
  readonly registry = new Registry()
  readonly observe: Observer

  /** @param status is asked at each scrape. */
  constructor(status: () => ClusterStatus | undefined) {
    const registers = [this.registry]
    collectProcessMetrics(this.registry)
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers })
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers })

    const loss = new Gauge({ name: 'herd_loss', help: 'Cross entropy: of the last step (train_step), of the last epoch (train, test).', labelNames: ['phase'], registers })
    const accuracy = new Gauge({ name: 'herd_accuracy_ratio', help: 'Share of images classified right: of the last step (train_step), of the last epoch (train, test).', labelNames: ['phase'], registers })
    const epoch = gauge('herd_epoch', 'Epochs that are complete.')
    const step = gauge('herd_step', 'Steps of the run that are done, those that were left out included.')
    const learningRate = gauge('herd_learning_rate', 'Learning rate of the last epoch.')
    const images = counter('herd_images_total', 'Training images that were counted.')
    const throughput = gauge('herd_images_per_second', 'Training images a second, over the last step.')
    const stepSeconds = new Histogram({ name: 'herd_step_duration_seconds', help: 'Time of a step: lanes, reduce, Adam, broadcast.', buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60], registers })
    const lost = counter('herd_workers_lost_total', 'Workers that were lost.')
    const dealtAgain = counter('herd_units_dealt_again_total', 'Lanes and test blocks that were dealt again after a worker was lost.')
    const takenOver = counter('herd_units_taken_over_total', 'Lanes and test blocks of stragglers that were given to a worker that had nothing to do.')
    const dropped = counter('herd_units_dropped_total', 'Results that were not counted: late, or of a worker that was out.')
    const skippedSteps = counter('herd_skipped_steps_total', 'Steps that were left out, since their gradient was not finite.')
    const checkpointFailures = counter('herd_checkpoint_failures_total', 'Checkpoints that could not be written; each is tried again.')
    const writeFailures = counter('herd_write_failures_total', 'Outages of history, events or plots: times that one could not be written after it could.')
    const checkpoints = counter('herd_checkpoints_total', 'Checkpoints that were written.')

    new Gauge({
      name: 'herd_workers', help: 'Workers that are in.', registers,
      collect() {
        this.set(status()?.workers ?? 0)
      },
    })
    new Gauge({
      name: 'herd_waiting_for_workers', help: '1 while too few workers are in to begin, or none to go on with.', registers,
      collect() {
        this.set(status()?.waiting === true ? 1 : 0)
      },
    })
    const traffic = (name: string, help: string, value: (now: ClusterStatus) => number): Counter =>
      new Counter({
        name, help, registers,
        collect() {
          const now = status()
          if (now === undefined) return
          this.reset()
          this.inc(value(now))
        },
      })
    traffic('herd_received_bytes_total', 'Tensor bytes received from workers.', (now) => now.bytesReceived)
    traffic('herd_sent_bytes_total', 'Tensor and image bytes sent to workers.', (now) => now.bytesSent)

    this.observe = (event) => {
      switch (event.type) {
        case 'resumed':
          epoch.set(event.epoch)
          step.set(event.step)
          break
        case 'step':
          loss.set({ phase: 'train_step' }, event.loss)
          accuracy.set({ phase: 'train_step' }, event.accuracy)
          step.set(event.step)
          images.inc(event.samples)
          throughput.set(event.samples / event.seconds)
          stepSeconds.observe(event.seconds)
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
        case 'workerLost':
          lost.inc()
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
        case 'checkpoint':
          checkpoints.inc()
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
}
