import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ComputeProcess } from '../shared/compute/compute_process.ts'
import { startProgress, type ProgressPlace } from '../shared/command/progress.ts'
import { openCopy, type WantedCopy } from '../shared/data/dataset.ts'
import type { DecodedCache } from '../shared/data/caches/decoded_cache.ts'
import { inputFacts } from '../shared/data/input_fingerprint.ts'
import type { Samples } from '../shared/data/columns/samples.ts'
import { openDecoded } from '../shared/data/caches/open_decoded.ts'
import type { PixelCacheObserver } from '../shared/data/caches/pixel_cache/pixel_cache.ts'
import { decodeTarget } from '../shared/data/transforms/transforms.ts'
import { RunError } from '../shared/kit/errors.ts'
import type { Log } from '../shared/kit/log.ts'
import { machineSeconds } from '../shared/trace/span.ts'
import type { Access } from '../shared/wire/client_access.ts'
import { joinWithPatience, NoMembershipError } from '../shared/wire/patience.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import { ComputeKeeper, type ComputeRequest } from './compute_keeper.ts'
import type { ComputeLease } from './compute_lease.ts'
import { Connection } from './connection.ts'
import { CopySource } from './copy_source.ts'
import { ImageCache } from './image_cache.ts'
import type { Link } from './link.ts'
import { readManifest, readWantedCopy } from './manifest.ts'
import { Membership, type MembershipObserver, type MembershipResult, type OpenedData } from './membership.ts'
import { RemoteSource } from './remote_source.ts'

export interface DaemonOptions {
  /** Address of the coordinator, HOST:PORT. */
  coordinator: string
  access: Access
  /** Folder of the worker's own copy of the data set; undefined: images are fetched from the coordinator. */
  data: string | undefined
  name: string
  engine: 'auto' | 'native' | 'wasm'
  /** Index of the GPU; undefined: computes on the CPU. */
  gpu: number | undefined
  /** Folder of decoded images, fetched images, and results of data checks. */
  cacheFolder: string
  /** Limit of the cache file of decoded images, in bytes; 0: there is none. */
  pixelCacheBytes: number
  /** Limit of the fetched image files, in bytes. */
  imageCacheBytes: number
  /** Address as in `MembershipParts.metricsAddress`. */
  metricsAddress: string
  /** Time during which to try to reach the coordinator, in milliseconds. */
  patienceMs: number
}

export interface DaemonObserver extends MembershipObserver {
  /** Receives true if an image file was in the cache on disk, false if it had to be fetched. */
  onImageCache(hit: boolean): void
  /** Receiver of reads and writes of the cache file of decoded images. */
  pixelCache: PixelCacheObserver
}

const BEFORE_READY_PAUSE_MS = 500

/** A worker's whole life: joins a coordinator, computes, and joins again when the connection is lost, until the run ends. */
export class WorkerDaemon {
  readonly #options: DaemonOptions
  readonly #log: Log
  readonly #observer: DaemonObserver
  readonly #place: ProgressPlace
  readonly #instance = randomUUID()
  readonly #computes = new ComputeKeeper((request) => this.#startCompute(request))
  #membership: Membership<ComputeLease> | undefined
  #decoded: { of: string; cache: DecodedCache } | undefined
  /** Ends the check of the own copy of the data set. */
  #checking: AbortController | undefined
  #stopping = false

  /** @param place where the progress of the data check is shown */
  constructor(options: DaemonOptions, log: Log, observer: DaemonObserver, place: ProgressPlace = { output: process.stderr, live: false, log }) {
    this.#options = options
    this.#log = log
    this.#observer = observer
    this.#place = place
  }

  /**
   * Works until the coordinator says that the run is over, or `stop` is called.
   * @throws RunError if the coordinator cannot be reached within `patienceMs` or refuses the worker, or if the engine or the data fail
   */
  async run(): Promise<void> {
    try {
      while (!this.#stopping) {
        const { end, joined } = await this.#joinWithPatience()
        if (end.how === 'finished') return this.#log.info('the run has finished.')
        if (end.how === 'asked' || this.#stopping) continue
        this.#log.warn(`${end.reason}; joining again.`)
        // Pause before joining again, so that a coordinator that welcomes but never gets further is not flooded with attempts.
        if (!joined) await sleep(BEFORE_READY_PAUSE_MS)
      }
    } finally {
      await this.#computes.close()
      await this.#decoded?.cache.close()
    }
  }

  /** Leaves the run in an orderly way: the worker finishes and delivers what it was dealt first. */
  stop(): void {
    this.#stopping = true
    this.#membership?.leave()
  }

  async #joinWithPatience(): Promise<MembershipResult> {
    const { patienceMs, coordinator } = this.#options
    return joinWithPatience(async () => {
      const result = await this.#session()
      const { end, welcomed } = result
      if ('reason' in end && !welcomed && !this.#stopping) throw new NoMembershipError(end.reason)
      return result
    }, { coordinator, patienceMs, log: this.#log })
  }

  /** Runs one membership, with the network, engine and data of this machine. */
  #session(): Promise<MembershipResult> {
    // A stop may have been requested during the pause before this attempt.
    if (this.#stopping) return Promise.resolve({ end: { how: 'asked' }, welcomed: false, joined: false })
    const { coordinator, access, name, engine, metricsAddress } = this.#options
    const membership = new Membership<ComputeLease>({
      name, engine, metricsAddress, instance: this.#instance,
      connect: (onMessage) => new Connection(coordinator, access, onMessage),
      startCompute: (run) => this.#computes.lease(run),
      inputFacts: (run) => inputFacts(run, run.network.imageSize),
      fetchData: (link, run) => this.#fetchData(link, run),
      residentBytes: async (compute) => process.memoryUsage.rss() + (await residentBytesOf(compute?.pid)),
      every: (milliseconds, action) => {
        const timer = setInterval(action, milliseconds)
        return () => clearInterval(timer)
      },
      now: machineSeconds,
      observer: {
        ...this.#observer,
        onJoined: (run, engine) => {
          this.#observer.onJoined(run, engine)
          this.#log.info(`joined ${coordinator}: ${run.model}, ${engine.version}, ${engine.device}, ${engine.precision}.`)
        },
      },
    })
    this.#membership = membership
    return membership.run().finally(() => this.#checking?.abort(new RunError('the membership has ended')))
  }

  async #startCompute({ network, seed, compress, ...engine }: ComputeRequest): Promise<ComputeProcess> {
    const compute = await ComputeProcess.start(network, { seed, compress }, { ...engine, gpu: this.#options.gpu }, { log: this.#log })
    if (compute.note !== undefined) this.#log.warn(compute.note)
    return compute
  }

  /** Fetches what this worker needs to know of a run's images. @returns the function that opens them: the worker's own copy, or those of the coordinator */
  async #fetchData(link: Link, run: RunDescription): Promise<() => Promise<OpenedData>> {
    const { data, cacheFolder, imageCacheBytes } = this.#options
    const cache = new ImageCache(path.join(cacheFolder, 'images'), imageCacheBytes, { now: () => new Date(), log: this.#log })
    if (data === undefined) {
      const { samples } = await readManifest(link.fetchManifest(false), run)
      const source = new RemoteSource(link, samples, cache, this.#observer.onImageCache, this.#cachingProgress())
      return async () => ({ digest: '', images: { samples, source, decoded: await this.#decodedImages(samples, run) } })
    }
    const wanted = await readWantedCopy(link.fetchManifest(true), run)
    return () => this.#openCopy(data, wanted, { link, run, cache })
  }

  async #openCopy(data: string, wanted: WantedCopy, { link, run, cache }: { link: Link; run: RunDescription; cache: ImageCache }): Promise<OpenedData> {
    const { cacheFolder } = this.#options
    const bar = startProgress(this.#place, 'checking images')
    const checking = new AbortController()
    this.#checking = checking
    const { digest, images } = await openCopy(data, wanted, { cacheFolder, warn: (message) => this.#log.warn(message), onProgress: bar.update, signal: checking.signal }).finally(bar.end)
    if (images === undefined) return { digest, images }
    const { samples } = images
    return { digest, images: { samples, source: new CopySource(images.source, new RemoteSource(link, samples, cache), this.#log), decoded: await this.#decodedImages(samples, run) } }
  }

  /**
   * Reports in the log how far the image cache has filled: in the first epoch a run waits for this. There is no progress bar, since work goes on
   * at the same time; and with several workers the count ends before the last image, because each worker fetches only those of its own lanes.
   */
  #cachingProgress(): (cached: number, total: number) => void {
    const progress = startProgress({ ...this.#place, live: false }, 'caching images of the coordinator')
    return (cached, total) => {
      progress.update(cached, total)
      if (cached === total) progress.end()
    }
  }

  /** Opens the cache of decoded images, or keeps the present one if the next session has the same images in the same size. */
  async #decodedImages(samples: Samples, run: RunDescription): Promise<DecodedCache> {
    const shortSide = decodeTarget(run, run.network.imageSize)
    const of = `${run.datasetDigest} ${shortSide}`
    if (this.#decoded?.of === of) return this.#decoded.cache
    await this.#decoded?.cache.close()
    const { cacheFolder, pixelCacheBytes } = this.#options
    const cache = await openDecoded({ cacheFolder, fileBytes: pixelCacheBytes, samples, shortSide, log: this.#log, observer: this.#observer.pixelCache })
    this.#decoded = { of, cache }
    return cache
  }
}

/** Measures the resident memory of another process in bytes; 0 where the system does not tell (it does on Linux). */
async function residentBytesOf(pid: number | undefined): Promise<number> {
  if (pid === undefined) return 0
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}
