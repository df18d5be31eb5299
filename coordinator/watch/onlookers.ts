import type { EngineKind } from '../../shared/engine/engine.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { Predictor } from '../../live/predictor.ts'
import { pageUrl, serveLive, type LiveSource } from '../../live/server.ts'
import type { RunBrief, RunFacts, RunPatch } from '../../live/view.ts'
import type { EvaluationView, HistoryLine, Summary } from '../../shared/run_folder/schemas.ts'
import type { Log } from '../../shared/kit/log.ts'
import { serveMetricsIfAsked } from '../../shared/http/metrics_server.ts'
import type { TransformLists } from '../../shared/data/transforms/transforms.ts'
import type { Network } from '../../shared/model/network.ts'
import { machineSeconds, type Span } from '../../shared/trace/span.ts'
import type { Access } from '../port/access.ts'
import type { Cluster, ClusterStatus } from '../contract/cluster.ts'
import type { Observer } from '../contract/events.ts'
import { LiveView } from './live_view.ts'
import { CoordinatorMetrics } from './metrics.ts'
import { MetricsTargets } from './metrics_targets.ts'
import type { CoordinatorOptions } from '../options.ts'
import { TraceFile } from './trace_file.ts'
import { viewerToken } from './viewers.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'

/** The facts about a run that metrics, live page and `herd top` show. */
export interface WatchedRun {
  facts: RunFacts
  /** Completed epochs of a resumed run, oldest first; empty for a new run. */
  history: HistoryLine[]
  /** Last evaluation in the run's folder; null if there is none. */
  evaluation: EvaluationView | null
  /** Position at which this process begins or resumes the run. */
  at: { epoch: number; stepInEpoch: number; step: number }
  workersWanted: number
  network: Network
  transforms: TransformLists
  engine: EngineKind
  /** Copies the newest weights. `step` is the number of steps taken, `epoch` that of the last step, from 1. */
  weights: () => Promise<{ parameters: Float32Array; step: number; epoch: number }>
}

/** Milliseconds between two updates of the live page. */
const FLUSH_MS = 250

/**
 * Everything that watches a run without taking part in it: Prometheus metrics, the live page, `herd top`, the trace file.
 * A failure here is reported as an event and does not end training.
 */
export class Onlookers {
  readonly #metrics: CoordinatorMetrics
  readonly #closing: (() => Promise<void>)[] = []
  #cluster: Cluster | undefined
  #view: LiveView | undefined
  #run: WatchedRun | undefined
  #trace: TraceFile | undefined
  #targets: MetricsTargets | undefined
  /** Subscribers of the live page. */
  readonly #listeners = new Set<(run: number, patch: RunPatch) => void>()
  /** Receives failures as events; ignores them until `describe` sets it. */
  #report: Observer = () => undefined

  private constructor({ tls }: Access) {
    this.#metrics = new CoordinatorMetrics(() => this.#status, () => Date.now() / 1000, tls)
  }

  /**
   * Opens the trace file, the metrics and the live page that the options ask for.
   * @throws RunError if a port cannot be bound or a file cannot be created
   */
  static async open(options: CoordinatorOptions, access: Access, log: Log): Promise<Onlookers> {
    const onlookers = new Onlookers(access)
    try {
      await onlookers.#open(options, access, log)
    } catch (error) {
      await onlookers.close()
      throw error
    }
    return onlookers
  }

  async #open(options: CoordinatorOptions, access: Access, log: Log): Promise<void> {
    const report: Observer = (event) => this.#report(event)
    if (options.trace !== undefined) {
      this.#trace = await TraceFile.open(options.trace, machineSeconds(), report)
      this.#closing.push(() => this.#trace?.close() ?? Promise.resolve())
    }
    if (options.metricsTargets !== undefined) {
      this.#targets = new MetricsTargets(options.metricsTargets, () => this.#status, report)
      this.#closing.push(() => this.#targets?.close() ?? Promise.resolve())
    }
    const metrics = await serveMetricsIfAsked(this.#metrics, options, log)
    if (metrics !== undefined) this.#closing.push(() => metrics.close())
    if (options.httpPort !== undefined) {
      const host = options.httpHost ?? '127.0.0.1'
      const server = await serveLive(this.#source(), { host, port: options.httpPort, token: viewerToken(options, access), tls: access.tls })
      this.#closing.push(() => server.close())
      log.info(`live page at ${pageUrl({ host, tls: access.tls }, server.port)}`)
    }
  }

  /** Announces the run, which is about to begin. @param report receives failures as events */
  describe(run: WatchedRun, report: Observer): void {
    const { facts, workersWanted, history, evaluation, at } = run
    this.#run = run
    this.#report = report
    this.#metrics.describe({ name: facts.name, stepsPerEpoch: facts.stepsPerEpoch, recipe: knownRecipe(facts.recipe), workersWanted })
    this.#view = new LiveView({ facts, history, evaluation, at, status: () => this.#status, now: () => new Date() })
    this.#view.subscribe((patch) => this.#listeners.forEach((listener) => listener(0, patch)))
    const timer = setInterval(() => this.#view?.flush(), FLUSH_MS)
    this.#closing.push(() => Promise.resolve(clearInterval(timer)))
  }

  onCluster(cluster: Cluster): void {
    this.#cluster = cluster
  }

  readonly observe: Observer = (event) => {
    this.#metrics.observe(event)
    this.#view?.observe(event)
    // Connections close soon, so the final state must be sent now.
    if (event.type === 'stopped' || event.type === 'failed') this.#view?.flush()
    this.#targets?.observe(event)
  }

  /**
   * The function that adds a span to the trace: the coordinator's own, or that of a worker on the coordinator's clock. Undefined if the run is
   * not traced.
   */
  get onSpan(): ((span: Span, worker?: string) => void) | undefined {
    const trace = this.#trace
    return trace === undefined ? undefined : (span, worker) => trace.add(worker, span)
  }

  /** Returns the state of the run for `herd top`; undefined before `describe`. */
  readonly brief = (): RunBrief | undefined => this.#view?.brief

  /** Shows the summary of the finished run. */
  finish(summary: Summary): void {
    this.#view?.finish(summary)
  }

  /** Sends viewers the final state, then closes the page, the metrics and the trace. */
  async close(): Promise<void> {
    this.#view?.flush()
    for (const close of this.#closing.reverse()) await close()
  }

  get #status(): ClusterStatus | undefined {
    return this.#cluster?.status
  }

  #source(): LiveSource {
    const predictor = new Predictor(async () => {
      if (this.#run === undefined) throw new RunError('The run is being prepared.')
      const { network, transforms, engine, facts, weights } = this.#run
      return { network, transforms, engine, classes: facts.classes, ...(await weights()) }
    })
    this.#closing.push(() => predictor.close())
    return {
      live: true,
      runs: () => (this.#view === undefined ? [] : [this.#view.view]),
      subscribe: (listener) => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
      predict: (_run, image) => predictor.predict(image),
    }
  }
}
