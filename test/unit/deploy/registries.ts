import type { Registry } from 'prom-client'
import { CoordinatorMetrics } from '../../../coordinator/watch/metrics.ts'
import { ServeMetrics } from '../../../cli/serve/metrics.ts'
import type { MemberView } from '../../../live/view.ts'
import { WorkerMetrics } from '../../../worker/metrics.ts'
import { makeCertificates } from '../../../cli/certs/certificates.ts'
import { article } from '../../../shared/recipe/presets.ts'

export interface MetricDescription {
  name: string
  type: string
  labels: string[]
}

const member: MemberView = {
  name: 'first', engine: 'TensorFlow', device: 'cpu', state: 'computing', kind: 'TRAIN', owes: [1, 2], lanes: 8, images: 64, laneSeconds: 0.5,
  residentBytes: 5e8, receivedBytes: 1000, sentBytes: 2000, secondsIn: 60,
}

const { files } = await makeCertificates(['192.0.2.10'], 90, new Date('2026-01-01'))
const pem = (name: string): Buffer => Buffer.from(files.get(name) ?? '')
const tls = { ca: pem('ca.crt'), identity: { cert: pem('coordinator.crt'), key: pem('coordinator.key') } }

/** Registries of both daemons and of `herd serve`, after one of every event that they count. */
export function filledRegistries(): { coordinator: Registry; worker: Registry; server: Registry } {
  const coordinator = new CoordinatorMetrics(() => ({
    workers: 1, workersWanted: 2, members: [member], metricsTargets: [], waiting: false, engine: undefined, fingerprints: {}, inputs: [], bytesReceived: 1000, bytesSent: 2000,
    totals: { lanesDelivered: 8, lanesCounted: 8, lanesDropped: 3, lanesDealtAgain: 1, lanesTakenOver: 1, workersLost: 1, mostWorkers: 2 },
  }), () => 1_700_000_000, tls)
  coordinator.describe({ name: 'run', recipe: { ...article, engine: 'native', epochs: 2, lr: 0.001 }, stepsPerEpoch: 2, workersWanted: 2 })
  coordinator.observe({ type: 'resumed', file: 'latest.ckpt', epoch: 1, step: 0, restarts: 1 })
  coordinator.observe({ type: 'dealt', worker: 'first', kind: 'TRAIN', units: [1, 2] })
  coordinator.observe({
    type: 'step', epoch: 1, stepInEpoch: 1, stepsPerEpoch: 2, step: 1, samples: 32, seconds: 0.5, loss: 2.3, accuracy: 0.25,
    gradientNorm: 1.5, split: { lanes: 0.4, reduce: 0.05, optimizer: 0.03, broadcast: 0.02 }, computedBy: ['first', 'first'],
  })
  coordinator.observe({
    type: 'epoch', epoch: 1, epochs: 2, step: 2, trainLoss: 2.2, trainAccuracy: 0.3, testLoss: 2.1, testAccuracy: 0.4,
    learningRate: 0.001, images: 64, skippedSteps: 1, seconds: 1, imagesPerSecond: 64, workers: 2,
  })
  coordinator.observe({ type: 'evaluated', epoch: 1, step: 2, classes: ['cat', 'dog'], confusion: [[3, 1], [0, 4]], predictions: [] })
  coordinator.observe({ type: 'gradientNotFinite', epoch: 1, step: 2, lanes: [3], parameter: 'conv2d_1/kernel', action: 'skip' })
  coordinator.observe({ type: 'workerLost', worker: 'second', workers: 1, reason: 'silent' })
  coordinator.observe({ type: 'dealtAgain', kind: 'TRAIN', worker: 'first', step: 1, units: [4, 5], attempt: 2 })
  coordinator.observe({ type: 'takenOver', kind: 'TRAIN', worker: 'first', step: 1, units: [7], attempt: 1 })
  coordinator.observe({ type: 'dropped', worker: 'second', units: 3, reason: 'late' })
  coordinator.observe({ type: 'checkpoint', file: 'latest.ckpt', epoch: 1, stepInEpoch: 2, step: 2, bytes: 1000, seconds: 0.1 })
  coordinator.observe({ type: 'checkpointFailed', file: 'latest.ckpt', epoch: 1, step: 2, reason: 'disk full', retrySeconds: 1 })
  coordinator.observe({ type: 'writeFailed', file: 'events.jsonl', reason: 'disk full' })

  const worker = new WorkerMetrics('first', undefined, tls)
  const { observer } = worker
  observer.onJoined({ name: 'run', model: 'article' }, { kind: 'native', mode: 'graph', precision: 'f32', threads: 1, device: 'cpu', version: 'TensorFlow' })
  observer.onLane(4)
  for (const name of ['compute', 'weights wait', 'input wait', 'upload'] as const) observer.onSpan({ name, begin: 1, end: 1.25 })
  observer.onQueue(3, 2)
  for (const from of ['memory', 'file', 'decoder'] as const) observer.onImage({ from, decodeSeconds: from === 'decoder' ? 0.01 : 0, transformSeconds: 0.001 })
  observer.pixelCache.onRead(1000)
  observer.pixelCache.onWrite(1000)
  observer.pixelCache.onDamage()
  observer.onImageCache(true)
  observer.onImageCache(false)
  observer.onTraffic({ sent: 100, received: 200 })
  observer.onMemory({ resident: 5e8, decoded: 1e6, file: 2e6 })

  const server = new ServeMetrics(() => ({ taken: 1, queue: 8, restarts: 1 }), tls)
  server.describe('article', { kind: 'native', mode: 'graph', precision: 'f32', threads: 1, device: 'cpu', version: 'TensorFlow' })
  server.onRequest(200, 0.1)
  server.onBatch(4, 0.05)
  return { coordinator: coordinator.registry, worker: worker.registry, server: server.registry }
}

/** Describes the metrics in a registry; labels are those of its series, without those that all metrics of a daemon have. */
export async function describeMetrics(registry: Registry): Promise<MetricDescription[]> {
  const metrics = await registry.getMetricsAsJSON()
  return metrics.map(({ name, type, values }) => {
    const labels = new Set(values.flatMap((value) => Object.keys(value.labels)))
    // `le` is Prometheus' own label of every histogram; the others are labels of all metrics of a daemon.
    labels.delete('le')
    for (const everywhere of name.startsWith('herd_member_') ? ['run'] : ['run', 'worker']) labels.delete(everywhere)
    // prom-client types this as a number, and gives a word.
    return { name, type: String(type), labels: [...labels].sort() }
  })
}
