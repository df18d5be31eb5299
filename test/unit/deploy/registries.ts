import type { Registry } from 'prom-client'
import { CoordinatorMetrics } from '../../../coordinator/metrics.ts'
import { WorkerMetrics } from '../../../worker/metrics.ts'

export interface MetricDescription {
  name: string
  type: string
  labels: string[]
}

/** The metrics of both daemons, after one of every event that they count. */
export function filledRegistries(): { coordinator: Registry; worker: Registry } {
  const coordinator = new CoordinatorMetrics(() => ({
    workers: 2, waiting: false, engine: undefined, fingerprints: {}, bytesReceived: 1000, bytesSent: 2000,
    totals: { unitsDelivered: 8, unitsCounted: 8, unitsDropped: 3, unitsDealtAgain: 1, unitsTakenOver: 1, workersLost: 1, mostWorkers: 2 },
  }))
  coordinator.observe({ type: 'step', epoch: 1, stepInEpoch: 1, stepsPerEpoch: 2, step: 1, samples: 32, seconds: 0.5, loss: 2.3, accuracy: 0.25 })
  coordinator.observe({
    type: 'epoch', epoch: 1, epochs: 2, trainLoss: 2.2, trainAccuracy: 0.3, testLoss: 2.1, testAccuracy: 0.4,
    learningRate: 0.001, images: 64, skippedSteps: 1, seconds: 1, imagesPerSecond: 64, workers: 2,
  })
  coordinator.observe({ type: 'gradientNotFinite', epoch: 1, step: 2, lanes: [3], parameter: 'conv2d_1/kernel', action: 'skip' })
  coordinator.observe({ type: 'workerLost', worker: 'second', workers: 1, reason: 'silent' })
  coordinator.observe({ type: 'dealtAgain', worker: 'first', step: 1, units: [4, 5], attempt: 2 })
  coordinator.observe({ type: 'takenOver', worker: 'first', step: 1, units: [7], attempt: 1 })
  coordinator.observe({ type: 'dropped', worker: 'second', units: 3, reason: 'late' })
  coordinator.observe({ type: 'checkpoint', file: 'latest.ckpt', epoch: 1, stepInEpoch: 2, step: 2 })
  coordinator.observe({ type: 'checkpointFailed', file: 'latest.ckpt', epoch: 1, step: 2, reason: 'disk full', retrySeconds: 1 })
  coordinator.observe({ type: 'writeFailed', file: 'events.jsonl', reason: 'disk full' })

  const worker = new WorkerMetrics()
  worker.observer.onLane({ samples: 4, seconds: 0.25 })
  worker.observer.onWeightsWait(0.5)
  worker.observer.onInputWait(0.125)
  worker.observer.onTraffic({ sent: 100, received: 200 })
  return { coordinator: coordinator.registry, worker: worker.registry }
}

/** What a registry holds; labels are those that its series have. */
export async function describeMetrics(registry: Registry): Promise<MetricDescription[]> {
  const metrics = await registry.getMetricsAsJSON()
  return metrics.map(({ name, type, values }) => {
    const labels = new Set(values.flatMap((value) => Object.keys(value.labels)))
    // Prometheus' own, on every histogram.
    labels.delete('le')
    // prom-client types this as a number, and gives a word.
    return { name, type: String(type), labels: [...labels].sort() }
  })
}
