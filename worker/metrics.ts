import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { collectCertificateMetrics } from '../shared/http/certificate_metrics.ts'
import { collectProcessMetrics } from '../shared/http/metrics_server.ts'
import type { TlsFiles } from '../shared/security/tls.ts'
import type { DaemonObserver } from './daemon.ts'

/** Upper bounds in seconds of the histogram of lane times, from a tiny network on a GPU to a large lane in WebAssembly. */
const LANE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** A worker's metrics for Prometheus (docs/metrics.md has their list). */
export class WorkerMetrics {
  readonly registry = new Registry()
  readonly observer: DaemonObserver
  #joined = false

  /**
   * @param worker name of the worker; a label of every metric, as is the name of the run
   * @param gpu index of the GPU; undefined: computes on the CPU
   * @param tls the worker's certificates
   */
  constructor(worker: string, gpu: number | undefined, tls: TlsFiles | undefined) {
    const registers = [this.registry]
    this.registry.setDefaultLabels({ worker })
    collectProcessMetrics(this.registry)
    collectCertificateMetrics(this.registry, 'herd_worker_certificate_expiry_timestamp_seconds', tls)
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers })
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers })
    const joined = gauge('herd_worker_joined', '1 while the worker is a member of a run.')
    const info = new Gauge({ name: 'herd_worker_info', help: '1; what the worker computes with is in the labels.', labelNames: ['engine', 'precision', 'device', 'version', 'threads', 'gpu'], registers })
    const images = counter('herd_worker_images_total', 'Training images whose gradients were computed.')
    const lanes = counter('herd_worker_lanes_total', 'Lanes that were computed.')
    const compute = new Histogram({ name: 'herd_worker_lane_duration_seconds', help: 'Time of computing a lane.', buckets: LANE_BUCKETS, registers })
    const decode = counter('herd_worker_decode_seconds_total', 'Time of decoding images, each from the moment it was begun; several are decoded at a time.')
    const augment = counter('herd_worker_augment_seconds_total', 'Time of transforming decoded images.')
    const upload = counter('herd_worker_upload_seconds_total', 'Time of sending partials.')
    const weightsWait = counter('herd_worker_weights_wait_seconds_total', 'Time of waiting for weights.')
    const inputWait = counter('herd_worker_input_wait_seconds_total', 'Time of waiting for images.')
    const owed = gauge('herd_worker_owed_lanes', 'Lanes that are dealt to the worker and not computed.')
    const prepared = gauge('herd_worker_prepared_lanes', 'Lanes whose images are ready ahead, or on their way.')
    const decodedHits = counter('herd_worker_decoded_cache_hits_total', 'Images that were in memory, decoded.')
    const decodedMisses = counter('herd_worker_decoded_cache_misses_total', 'Images that were not in memory, decoded.')
    const pixelHits = counter('herd_worker_pixel_cache_hits_total', 'Images that were in the cache file, decoded.')
    const pixelMisses = counter('herd_worker_pixel_cache_misses_total', 'Images that had to be decoded.')
    const pixelRead = counter('herd_worker_pixel_cache_read_bytes_total', 'Pixels read from the cache file.')
    const pixelWritten = counter('herd_worker_pixel_cache_written_bytes_total', 'Pixels written to the cache file.')
    const pixelDamage = counter('herd_worker_pixel_cache_damaged_total', 'Images in the cache file that were damaged or gone when they were read, and were decoded again.')
    const pixelBytes = gauge('herd_worker_pixel_cache_bytes', "Size of the machine's cache file of decoded images.")
    const imageHits = counter('herd_worker_image_cache_hits_total', "Image files of the coordinator's that were in the cache on disk.")
    const imageMisses = counter('herd_worker_image_cache_misses_total', 'Image files that were fetched from the coordinator.')
    const decodedBytes = gauge('herd_worker_decoded_cache_bytes', 'Memory of decoded images.')
    const resident = gauge('herd_worker_resident_memory_bytes', 'Resident memory of the worker with its compute process.')
    const sent = counter('herd_worker_sent_bytes_total', 'Tensor bytes sent to the coordinator.')
    const received = counter('herd_worker_received_bytes_total', 'Tensor and image bytes received from the coordinator.')
    // A connection's totals restart at zero with every new connection; counters must not.
    let last = { sent: 0, received: 0 }

    this.observer = {
      onJoined: (run, { kind, precision, device, version, threads }) => {
        this.#joined = true
        this.registry.setDefaultLabels({ worker, run: run.name })
        joined.set(1)
        info.reset()
        info.set({ engine: kind, precision, device, version, threads: String(threads), gpu: gpu === undefined ? '' : String(gpu) }, 1)
      },
      onLeft: () => {
        this.#joined = false
        joined.set(0)
        owed.set(0)
        prepared.set(0)
        last = { sent: 0, received: 0 }
      },
      onLane: (samples) => {
        images.inc(samples)
        lanes.inc()
      },
      onSpan: ({ name, begin, end }) => {
        if (name === 'compute') compute.observe(end - begin)
        else if (name === 'weights wait') weightsWait.inc(end - begin)
        else if (name === 'input wait') inputWait.inc(end - begin)
        else if (name === 'upload') upload.inc(end - begin)
      },
      onQueue: (lanesOwed, lanesPrepared) => {
        owed.set(lanesOwed)
        prepared.set(lanesPrepared)
      },
      onImage: ({ from, decodeSeconds, transformSeconds }) => {
        ;(from === 'memory' ? decodedHits : decodedMisses).inc()
        if (from !== 'memory') (from === 'file' ? pixelHits : pixelMisses).inc()
        decode.inc(decodeSeconds)
        augment.inc(transformSeconds)
      },
      onImageCache: (hit) => (hit ? imageHits : imageMisses).inc(),
      pixelCache: {
        onRead: (bytes) => pixelRead.inc(bytes),
        onWrite: (bytes) => pixelWritten.inc(bytes),
        onDamage: () => pixelDamage.inc(),
      },
      onTraffic: (totals) => {
        sent.inc(totals.sent - last.sent)
        received.inc(totals.received - last.received)
        last = totals
      },
      onMemory: (bytes) => {
        resident.set(bytes.resident)
        decodedBytes.set(bytes.decoded)
        pixelBytes.set(bytes.file)
      },
    }
  }

  /** Says why the worker cannot compute now; undefined if it can. */
  readonly unready = (): string | undefined => (this.#joined ? undefined : 'not a member of a run')
}
