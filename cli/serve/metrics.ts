import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { collectCertificateMetrics } from '../../shared/http/certificate_metrics.ts'
import { collectProcessMetrics } from '../../shared/http/metrics_server.ts'
import type { EngineInfo } from '../../shared/engine/engine.ts'
import type { TlsFiles } from '../../shared/security/tls.ts'

/** Upper bounds in seconds of the histogram of requests' times. */
const REQUEST_BUCKETS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** Code that a request counts under whose client went away before the answer. */
const GONE = 499

/** What the gauges are read from. */
export interface ServeState {
  /** Images that have been taken and not been answered. */
  taken: number
  queue: number
  /** Times that the compute process was started again. */
  restarts: number
}

/** Metrics of `herd serve` for Prometheus (docs/metrics.md has their list). */
export class ServeMetrics {
  readonly registry = new Registry()
  readonly #requests: Counter
  readonly #durations: Histogram
  readonly #batches: Histogram
  readonly #computed: Counter
  readonly #info: Gauge

  /** @param state asked at each scrape */
  constructor(state: () => ServeState, tls: TlsFiles | undefined) {
    const registers = [this.registry]
    collectProcessMetrics(this.registry)
    collectCertificateMetrics(this.registry, 'herd_serve_certificate_expiry_timestamp_seconds', tls)
    this.#info = new Gauge({ name: 'herd_serve_info', help: '1; what is served, and what it is computed with, is in the labels.', labelNames: ['model', 'engine', 'precision', 'device', 'version', 'threads'], registers })
    this.#requests = new Counter({ name: 'herd_serve_requests_total', help: `Requests to classify an image, by the code of the answer; ${GONE}: the client went away before.`, labelNames: ['code'], registers })
    this.#durations = new Histogram({ name: 'herd_serve_request_duration_seconds', help: 'Time from the head of a request to its answer, of those that were answered with 200.', buckets: REQUEST_BUCKETS, registers })
    this.#batches = new Histogram({ name: 'herd_serve_batch_images', help: 'Images that were computed at once.', buckets: BATCH_BUCKETS, registers })
    this.#computed = new Counter({ name: 'herd_serve_compute_seconds_total', help: 'Time in which a batch was at the engine.', registers })
    const read = (name: string, help: string, value: (state: ServeState) => number): void => {
      new Gauge({ name, help, registers, collect() { this.set(value(state())) } })
    }
    read('herd_serve_queued_images', 'Images that have been taken and not been answered.', ({ taken }) => taken)
    read('herd_serve_queue_limit_images', 'Most of them (--queue).', ({ queue }) => queue)
    read('herd_serve_compute_restarts', 'Times that the compute process died and was started again.', ({ restarts }) => restarts)
  }

  describe(model: string, { kind, precision, device, version, threads }: EngineInfo): void {
    this.#info.set({ model, engine: kind, precision, device, version, threads: String(threads) }, 1)
  }

  /** @param code status of the answer; undefined if the client went away before */
  onRequest(code: number | undefined, seconds: number): void {
    this.#requests.inc({ code: String(code ?? GONE) })
    if (code === 200) this.#durations.observe(seconds)
  }

  onBatch(images: number, seconds: number): void {
    this.#batches.observe(images)
    this.#computed.inc(seconds)
  }
}
