import { readFile } from 'node:fs/promises'
import path from 'node:path'
import pRetry from 'p-retry'
import { digestFolder } from '../shared/data/dataset.ts'
import { FolderSource, type ImageSource } from '../shared/data/image_source.ts'
import type { Manifest } from '../shared/data/manifest.ts'
import { scanFolder } from '../shared/data/scan.ts'
import { DataError, EngineError, messageOf, ProtocolError, RunError } from '../shared/errors.ts'
import type { Log } from '../shared/log.ts'
import { layoutOf } from '../shared/network/layout.ts'
import { checkedJson, PROTOCOL_VERSION, type CoordinatorMessage, type Deal } from '../shared/wire/messages.ts'
import { runDescriptionSchema, type RunDescription } from '../shared/wire/run_description.ts'
import { ComputeProcess } from './compute_process.ts'
import { Connection } from './connection.ts'
import { ImageCache } from './image_cache.ts'
import { RemoteSource } from './remote_source.ts'
import { readManifest, WorkSession, type SessionObserver } from './session.ts'
import { WeightsInbox } from './weights_inbox.ts'

export interface DaemonOptions {
  coordinator: string
  data: string | undefined
  name: string
  engine: 'auto' | 'native' | 'wasm'
  gpu: number | undefined
  /** For fetched images and results of data checks. */
  cacheFolder: string
  imageCacheBytes: number
  patienceMs: number
}

export interface DaemonObserver extends SessionObserver {
  onJoined(run: RunDescription): void
  onLeft(): void
  onTraffic(totals: { sent: number; received: number }): void
}

const HEARTBEAT_MS = 1000

/** What a session must end with itself. */
interface HeldCompute {
  compute: ComputeProcess | undefined
  over: boolean
}

type SessionEnd = { how: 'finished' } | { how: 'lost'; reason: string } | { how: 'asked' }

/** A worker's life: joins a coordinator, computes, and joins again when the connection is lost, until the run ends. */
export class WorkerDaemon {
  readonly #options: DaemonOptions
  readonly #log: Log
  readonly #observer: DaemonObserver
  #connection: Connection | undefined
  #stopping = false

  constructor(options: DaemonOptions, log: Log, observer: DaemonObserver) {
    this.#options = options
    this.#log = log
    this.#observer = observer
  }

  /**
   * Works until the coordinator says that the run is over, or `stop` is called.
   * @throws RunError when the coordinator cannot be reached for as long as the patience lasts, refuses the worker, or
   *   the engine or the data fail.
   */
  async run(): Promise<void> {
    while (!this.#stopping) {
      const end = await this.#joinWithPatience()
      if (end.how === 'finished') return this.#log.info('the run has finished.')
      if (end.how === 'lost' && !this.#stopping) this.#log.warn(`${end.reason}; joining again.`)
    }
  }

  /** Leaves in order: the lanes that are not delivered are dealt to others. */
  stop(): void {
    this.#stopping = true
    this.#connection?.send({ message: 'leaving', leaving: { reason: 'it was asked to stop' } })
    void this.#connection?.close()
  }

  /** Tries again, with backoff and jitter, as long as no session comes about. */
  async #joinWithPatience(): Promise<SessionEnd> {
    const { patienceMs, coordinator } = this.#options
    const failed = 'failed before it began'
    return pRetry(
      async () => {
        const { end, welcomed } = await this.#session()
        if (end.how === 'lost' && !welcomed && !this.#stopping) throw new Error(failed, { cause: end.reason })
        return end
      },
      {
        retries: Number.POSITIVE_INFINITY,
        maxRetryTime: patienceMs,
        minTimeout: 200,
        maxTimeout: 5000,
        randomize: true,
        shouldRetry: ({ error }) => error.message === failed,
        onFailedAttempt: ({ error, attemptNumber }) => {
          if (error.message === failed && attemptNumber === 1) this.#log.info(`waiting for the coordinator at ${coordinator}: ${String(error.cause)}.`)
        },
      },
    ).catch((error: unknown) => {
      if (error instanceof Error && error.message === failed) {
        throw new RunError(`--coordinator ${coordinator}: ${String(error.cause)} (tried for ${Math.round(patienceMs / 1000)} s). Is the coordinator running, and is the address right?`)
      }
      throw error
    })
  }

  /** One membership, from hello to its end. */
  async #session(): Promise<{ end: SessionEnd; welcomed: boolean }> {
    const held: HeldCompute = { compute: undefined, over: false }
    let welcomed = false
    let finished: SessionEnd | undefined
    const failures: { reject: (error: Error) => void } = { reject: () => undefined }
    const failure = new Promise<never>((_, reject) => (failures.reject = reject))
    failure.catch(() => undefined)
    const deals: Deal[] = []
    let session: WorkSession | undefined
    let working = false

    // Deals are worked off one after the other, as they come.
    const workOff = async (): Promise<void> => {
      if (working || session === undefined) return
      working = true
      for (let deal = deals.shift(); deal !== undefined; deal = deals.shift()) await session.work(deal)
      working = false
    }
    const onMessage = (message: CoordinatorMessage): void => {
      switch (message.message) {
        case 'welcome':
          welcomed = true
          this.#prepare(connection, message.welcome, held)
            .then((prepared) => {
              session = prepared
              return workOff()
            })
            .catch(failures.reject)
          break
        case 'refused':
          failures.reject(new ProtocolError(`the coordinator refuses this worker: ${message.refused.reason}`))
          break
        case 'deal':
          deals.push(message.deal)
          workOff().catch(failures.reject)
          break
        case 'stop':
          finished = message.stop.finished ? { how: 'finished' } : { how: 'lost', reason: `the coordinator stops: ${message.stop.reason}` }
          break
      }
    }
    const connection = new Connection(this.#options.coordinator, onMessage)
    this.#connection = connection
    connection.send({ message: 'hello', hello: { protocolVersion: PROTOCOL_VERSION, name: this.#options.name } })
    const heartbeat = setInterval(() => void this.#beat(connection, held.compute), HEARTBEAT_MS)
    try {
      const reason = await Promise.race([connection.lost, failure])
      return { end: finished ?? (this.#stopping ? { how: 'asked' } : { how: 'lost', reason }), welcomed }
    } catch (error) {
      // A failure that only follows from the end of the connection is not the news.
      if (this.#stopping || finished !== undefined) return { end: finished ?? { how: 'asked' }, welcomed }
      connection.send({ message: 'leaving', leaving: { reason: messageOf(error).slice(0, 1000) } })
      throw error
    } finally {
      clearInterval(heartbeat)
      this.#observer.onLeft()
      held.over = true
      await connection.close()
      await held.compute?.close()
    }
  }

  /** Everything between Welcome and Ready: engine, data, bulk streams. */
  async #prepare(connection: Connection, welcome: { session: string; run: string }, held: HeldCompute): Promise<WorkSession> {
    const run = checkedJson(runDescriptionSchema, welcome.run, "the coordinator's run")
    if (this.#options.engine !== 'auto' && this.#options.engine !== run.engine) {
      throw new EngineError(`--engine ${this.#options.engine}: the run computes on ${run.engine}; leave --engine out to take part.`)
    }
    const weights = new WeightsInbox(layoutOf(run.network).size)
    connection.openBulk(welcome.session, (chunk) => weights.receive(chunk))
    const [compute, manifest] = await Promise.all([this.#startCompute(run, held), connection.fetchManifest().then((gzipped) => readManifest(gzipped, run))])
    const { source, digest } = await this.#openSource(connection, manifest)
    connection.send({
      message: 'ready',
      ready: { engine: JSON.stringify(compute.info), fingerprint: compute.fingerprint, datasetDigest: digest },
    })
    this.#observer.onJoined(run)
    this.#log.info(`joined ${this.#options.coordinator}: ${run.network.name}, ${compute.info.version}, ${compute.info.device}, ${run.precision}.`)
    const now = (): number => performance.now() / 1000
    return new WorkSession({ connection, run, manifest, source, compute, weights, observer: this.#observer, now })
  }

  /**
   * The compute process of one session. It ends with the session: a session that is over may still be feeding it, and
   * its lanes must never meet those of the next one.
   */
  async #startCompute(run: RunDescription, held: HeldCompute): Promise<ComputeProcess> {
    const compute = await ComputeProcess.start(run.network, run.seed, { engine: run.engine, precision: run.precision, threads: run.threads, gpu: this.#options.gpu })
    if (held.over) {
      await compute.close()
      throw new ProtocolError('the connection was lost while the engine was starting')
    }
    held.compute = compute
    if (compute.note !== undefined) this.#log.warn(compute.note)
    return compute
  }

  async #openSource(connection: Connection, manifest: Manifest): Promise<{ source: ImageSource; digest: string }> {
    const { data, cacheFolder, imageCacheBytes } = this.#options
    if (data === undefined) {
      return { source: new RemoteSource(connection, manifest.samples, new ImageCache(path.join(cacheFolder, 'images'), imageCacheBytes, () => new Date())), digest: '' }
    }
    const digest = await digestFolder(data, { cacheFolder })
    const files = new Map((await scanFolder(data)).candidates.map((candidate) => [candidate.path, candidate.file]))
    const paths = manifest.samples.map((sample) => files.get(sample.path))
    // A digest that differs is the coordinator's to refuse, with both digests in its words.
    if (digest === manifest.digest && paths.includes(undefined)) throw new DataError(`--data ${data}: a file of the data set vanished while it was being opened.`)
    return { source: new FolderSource(paths.map((file) => file ?? '')), digest }
  }

  async #beat(connection: Connection, computing: ComputeProcess | undefined): Promise<void> {
    this.#observer.onTraffic({ sent: connection.bytesSent, received: connection.bytesReceived })
    const compute = await residentBytes(computing?.pid)
    connection.send({ message: 'heartbeat', heartbeat: { residentBytes: process.memoryUsage.rss() + compute } })
  }
}

/** Resident memory of another process, where the system tells (Linux); else 0. */
async function residentBytes(pid: number | undefined): Promise<number> {
  if (pid === undefined) return 0
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}
