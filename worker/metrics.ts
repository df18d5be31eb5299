import { Counter, Gauge, Registry } from 'prom-client'
import { collectProcessMetrics } from '../shared/metrics_server.ts'
import type { DaemonObserver } from './daemon.ts'

/** A worker's metrics for Prometheus (docs/metrics.md has their list). */
export class WorkerMetrics {
  readonly registry = new Registry()
  readonly observer: DaemonObserver

  constructor() {
    const registers = [this.registry]
    collectProcessMetrics(this.registry)
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers })
    const joined = new Gauge({ name: 'herd_worker_joined', help: '1 while the worker is a member of a run.', registers })
    const images = counter('herd_worker_images_total', 'Training images whose gradients were computed.')
    const lanes = counter('herd_worker_lanes_total', 'Lanes that were computed.')
    const compute = counter('herd_worker_compute_seconds_total', 'Time of computing lanes.')
    const weightsWait = counter('herd_worker_weights_wait_seconds_total', 'Time of waiting for weights.')
    const inputWait = counter('herd_worker_input_wait_seconds_total', 'Time of waiting for images.')
    const sent = counter('herd_worker_sent_bytes_total', 'Tensor bytes sent to the coordinator.')
    const received = counter('herd_worker_received_bytes_total', 'Tensor and image bytes received from the coordinator.')
    // Totals of a connection begin at zero again with the next one; counters must not.
    let last = { sent: 0, received: 0 }

    this.observer = {
      onJoined: () => joined.set(1),
      onLeft: () => {
        joined.set(0)
        last = { sent: 0, received: 0 }
      },
      onLane: ({ samples, seconds }) => {
        images.inc(samples)
        lanes.inc()
        compute.inc(seconds)
      },
      onWeightsWait: (seconds) => weightsWait.inc(seconds),
      onInputWait: (seconds) => inputWait.inc(seconds),
      onTraffic: (totals) => {
        sent.inc(totals.sent - last.sent)
        received.inc(totals.received - last.received)
        last = totals
      },
    }
  }
}
