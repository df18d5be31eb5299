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

/** A run, as those need to know it who look on. */
export interface WatchedRun {
  facts: RunFacts
  /** What a run that is resumed has behind it. */
  history: HistoryLine[]
  evaluation: EvaluationView | null
  at: { epoch: number; stepInEpoch: number; step: number }
  workersWanted: number
  network: Network
  transforms: TransformLists
  engine: EngineKind
  /** A copy of the newest weights, and how many steps and epochs they have behind them. */
  weights: () => Promise<{ parameters: Float32Array; step: number; epoch: number }>
}

/** Patches a second are enough for an eye. */
const FLUSH_MS = 250

/**
 * Whoever looks at a run without taking part in it: Prometheus, the live page, `herd top`, a trace. What goes wrong here
 * is reported as an event and ends no training.
 */
export class Onlookers {
  readonly #metrics: CoordinatorMetrics
  readonly #closing: (() => Promise<void>)[] = []
  #cluster: Cluster | undefined
  #view: LiveView | undefined
  #run: WatchedRun | undefined
  #trace: TraceFile | undefined
  #targets: MetricsTargets | undefined
  /** The live page's. */
  readonly #listeners = new Set<(run: number, patch: RunPatch) => void>()
  /** Where what goes wrong is reported. */
  #report: Observer = () => undefined

  private constructor() {
    this.#metrics = new CoordinatorMetrics(() => this.#status, () => Date.now() / 1000)
  }

  /**
   * Opens what the options ask for.
   * @throws RunError where a port or a file cannot be had.
   */
  static async open(options: CoordinatorOptions, access: Access, log: Log): Promise<Onlookers> {
    const onlookers = new Onlookers()
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

  /** The run is known, and about to begin. @param report where what goes wrong is reported */
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
    // Connections end soon, and their last word is how the run did.
    if (event.type === 'stopped' || event.type === 'failed') this.#view?.flush()
    this.#targets?.observe(event)
  }

  /** Spans of the coordinator itself, or of a worker by the coordinator's clock; undefined where nobody traces. */
  get onSpan(): ((span: Span, worker?: string) => void) | undefined {
    const trace = this.#trace
    return trace === undefined ? undefined : (span, worker) => trace.add(worker, span)
  }

  /** What `herd top` shows. */
  readonly brief = (): RunBrief | undefined => this.#view?.brief

  /** The run has finished. */
  finish(summary: Summary): void {
    this.#view?.finish(summary)
  }

  /** Lets everybody see how it ended, and closes. */
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
