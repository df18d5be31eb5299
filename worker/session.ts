import { codecFor } from '../shared/compress/codec.ts'
import { idsBySplit } from '../shared/data/dataset.ts'
import type { DecodedCache } from '../shared/data/caches/decoded_cache.ts'
import type { ImageSource } from '../shared/data/sources/image_source.ts'
import type { Samples } from '../shared/data/columns/samples.ts'
import { ProtocolError } from '../shared/kit/errors.ts'
import { layoutOf } from '../shared/model/layout.ts'
import type { Compute } from '../shared/compute/compute.ts'
import { blockCount, evaluateBlock } from '../shared/evaluation/blocks.ts'
import { InputPipeline } from '../shared/data/input_pipeline.ts'
import type { ImageObserver } from '../shared/data/sample_images.ts'
import { SpanOutbox } from '../shared/trace/span_outbox.ts'
import { LaneTree } from '../shared/lanes/lane_tree.ts'
import { LaneWalk } from '../shared/lanes/lane_walk.ts'
import { Schedule } from '../shared/lanes/sample_schedule.ts'
import type { Span } from '../shared/trace/span.ts'
import type { Check, Deal } from '../shared/wire/messages.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import { TestBlocks } from './evaluation_blocks.ts'
import type { Job } from './job.ts'
import { LaneChecks } from './lane_checks.ts'
import { LaneFeeder } from './lane_feeder.ts'
import type { Link } from './link.ts'
import { UnitClock } from './unit_clock.ts'
import { Uploader } from './uploader.ts'
import type { WeightsInbox } from './weights_inbox.ts'

/** Receiver of a session's reports on its work, for metrics. */
export interface SessionObserver {
  /** Receives each timed activity (a wait, a lane, an upload) when it has ended. */
  onSpan(span: Span): void
  /** Receives the number of samples of each computed lane, when its partial is uploaded. */
  onLane(samples: number): void
  /**
   * Receives the length of the queue whenever it changes.
   * @param owed number of lanes that are dealt and not computed yet
   * @param prepared number of lanes whose images are decoded or being decoded
   */
  onQueue(owed: number, prepared: number): void
  onImage: ImageObserver
}

export interface SessionParts {
  link: Pick<Link, 'send' | 'sendGradient'>
  run: RunDescription
  samples: Samples
  source: ImageSource
  decoded: DecodedCache
  compute: Compute
  weights: WeightsInbox
  observer: SessionObserver
  /** Clock in seconds that all processes of the machine share (`machineSeconds`). */
  now: () => number
  /** Receives the error of the engine, the data or the coordinator, after which the session can do nothing more. */
  onFailure: (error: unknown) => void
  /** Number of floats in one chunk on the wire; undefined: the default. */
  chunkFloats?: number
  /** Ranges of the gradient vector, one for each reducer, side by side; they begin and end at chunk boundaries. Undefined: one range, the whole vector. */
  ranges?: readonly { begin: number; end: number }[]
}

/**
 * The computing part of a membership. Computes the lanes of training steps, one deal after the other. Blocks of the test set are computed one by
 * one whenever no lane can be: none is left while other workers still compute theirs, or the weights are on their way.
 */
export class WorkSession {
  readonly #parts: SessionParts
  readonly #samples: Samples
  readonly #test: readonly number[]
  readonly #schedule: Schedule
  readonly #tree: LaneTree
  readonly #input: InputPipeline
  readonly #tests: TestBlocks
  readonly #clock: UnitClock
  readonly #lanes: LaneFeeder
  readonly #checks: LaneChecks
  /** Pending work in its order: deals of lanes, and notes to tell the coordinator that all work on an abandoned round has ended here. */
  readonly #queue: (Job | { abandonedRound: number })[] = []
  #current: Job | undefined
  #working = false
  /** Ends the current wait for weights early, because something has arrived that a block of the test set may have needed. */
  #wake: () => void = () => undefined
  /** Weights that the engine holds; undefined before the first ones. */
  #loaded: { version: number; parameters: Float32Array } | undefined
  readonly #outbox: SpanOutbox | undefined
  /** Time when the session last ran out of work, in seconds. */
  #idleSince: number

  constructor(parts: SessionParts) {
    const { run, samples, source, decoded } = parts
    this.#parts = parts
    this.#idleSince = parts.now()
    this.#samples = samples
    const { train, test } = idsBySplit(samples)
    this.#test = test
    this.#schedule = new Schedule({ ...run, train, samples })
    this.#tree = new LaneTree(run.lanes)
    this.#input = new InputPipeline({ source, samples, schedule: this.#schedule, network: run.network, augmentation: run.augmentation, evaluation: run.evaluation, seed: run.seed, audit: run.audit, decoded, observer: parts.observer.onImage, onSpan: (span) => this.#tell(span) })
    this.#tests = new TestBlocks({ test, images: (ids) => this.#input.images(ids), now: parts.now, onDecoded: () => this.#goOn(), onFailure: parts.onFailure })
    parts.weights.keepEvery(this.#schedule.stepsPerEpoch, () => {
      this.#checks.weightsCame()
      this.#goOn()
    })
    this.#outbox = run.trace ? new SpanOutbox((spans) => parts.link.send({ message: 'spans', spans: { spans } })) : undefined
    this.#clock = new UnitClock(parts.now)
    const { link, compute, now, onFailure, observer } = parts
    // An upload's span goes to metrics only: a trace gets the upload from the coordinator, which knows when the partial arrived.
    const { size } = layoutOf(run.network)
    const uploader = new Uploader({ link, codec: codecFor(run.compress), size, chunkFloats: parts.chunkFloats, ranges: parts.ranges, now, onSpan: (span) => observer.onSpan(span) })
    this.#lanes = new LaneFeeder({
      compute, input: this.#input, schedule: this.#schedule, uploader, clock: this.#clock, now, onFailure, onLane: (samples) => observer.onLane(samples),
      onSpan: (span) => this.#tell(span), onComputed: (deal, lane, seconds) => this.#report(deal, lane, seconds),
    })
    this.#checks = new LaneChecks({
      tree: this.#tree, size, input: this.#input, compute, copyOfWeights: (version) => parts.weights.copyOf(version), setParameters: (version, parameters) => this.#setParameters(version, parameters),
    })
  }

  /**
   * Accepts a deal. Its lanes are computed after those of earlier deals, its blocks of the test set when there are no lanes to compute. A unit
   * that the run does not have is reported to `onFailure` as a ProtocolError.
   */
  deal(deal: Deal): void {
    const isTraining = deal.kind === 'TRAIN'
    const units = isTraining ? this.#parts.run.lanes : blockCount(this.#test)
    if (deal.units.some((unit) => unit >= units)) return this.#parts.onFailure(new ProtocolError(`the coordinator dealt units ${deal.units.join()} of ${units}`))
    if (isTraining) this.#queue.push({ deal, walk: new LaneWalk(this.#tree, deal.units), abandoned: false })
    else this.#tests.deal(deal)
    this.#tellQueue()
    this.#goOn()
  }

  /** Accepts a check of lanes that another worker has computed. @throws ProtocolError if the run has no such lanes */
  check(check: Check): void {
    this.#checks.add(check)
    this.#goOn()
  }

  /** Leaves out units that another worker computes now, unless they are begun. */
  release({ round, units }: { round: number; units: number[] }): void {
    for (const job of this.#jobsOf(round)) job.walk.leaveOut(units)
    this.#tests.leaveOut(round, units)
  }

  /**
   * Drops a round: units that are not begun are left out, and gradients of lanes that are begun are not sent. The coordinator is told when the
   * work that came before has ended.
   */
  abandon({ round }: { round: number }): void {
    for (const job of this.#jobsOf(round)) job.abandoned = true
    this.#tests.leaveOut(round)
    this.#queue.push({ abandonedRound: round })
    this.#goOn()
  }

  #jobsOf(round: number): Job[] {
    return [this.#current, ...this.#queue].filter((job) => job !== undefined && 'deal' in job && job.deal.round === round) as Job[]
  }

  #goOn(): void {
    this.#wake()
    void this.#workOff()
  }

  async #workOff(): Promise<void> {
    if (this.#working || (this.#queue.length === 0 && !this.#checks.any && !this.#canTest)) return
    this.#working = true
    this.#tell({ name: 'idle', begin: this.#idleSince, end: this.#parts.now() })
    try {
      for (;;) {
        const next = this.#queue.shift()
        if (next === undefined) {
          if (this.#checks.any) await this.#checkOne()
          else if (this.#canTest) await this.#testOne()
          else break
        } else if ('deal' in next) await this.#work(next)
        else this.#parts.link.send({ message: 'abandoned', abandoned: { round: next.abandonedRound } })
      }
      this.#working = false
      this.#idleSince = this.#parts.now()
    } catch (error) {
      this.#parts.onFailure(error)
    }
  }

  async #work(job: Job): Promise<void> {
    const { deal } = job
    if (job.abandoned) return
    this.#current = job
    this.#input.prefetch(deal, deal.units)
    // A check never waits for more than one step, so that the run does not get far on what may be a lie.
    while (this.#checks.hasBefore(deal.step)) await this.#checkOne()
    if (await this.#loadWeights(deal.step)) {
      this.#clock.restart()
      await this.#lanes.train(job)
    }
    this.#current = undefined
  }

  /**
   * Waits for a version of the weights and gives it to the engine; checks, and blocks of the test set, are computed meanwhile.
   * @returns false if a later version is complete already: the round that needed this one is over
   */
  async #loadWeights(version: number): Promise<boolean> {
    if (this.#loaded?.version === version) return true
    let begin = this.#parts.now()
    const tellWait = (): void => this.#tell({ name: 'weights wait', begin, end: this.#parts.now(), step: version })
    let here = false
    const coming = this.#parts.weights.take(version).then((parameters) => {
      here = true
      return parameters
    })
    // One turn of the microtask queue: weights that are here already then come before any block of the test set.
    await Promise.resolve()
    while (!here) {
      if (this.#checks.any || this.#canTest) {
        tellWait()
        await (this.#checks.any ? this.#checkOne() : this.#testOne())
        begin = this.#parts.now()
      } else await Promise.race([coming, new Promise<void>((resolve) => (this.#wake = resolve))])
    }
    const parameters = await coming
    tellWait()
    if (parameters === undefined) return false
    this.#setParameters(version, parameters)
    return true
  }

  /** Computes a check and sends its answer, if one waits. */
  async #checkOne(): Promise<void> {
    const begin = this.#parts.now()
    const checked = await this.#checks.next()
    if (checked === undefined) return
    this.#tell({ name: 'check', begin, end: this.#parts.now() })
    this.#outbox?.flush()
    this.#parts.link.send({ message: 'checked', checked })
  }

  #setParameters(version: number, parameters: Float32Array): void {
    this.#parts.compute.setParameters(parameters)
    this.#loaded = { version, parameters }
  }

  /** True if a block of the test set can be computed now: its images and weights are here, or its weights are gone, which is an error. */
  get #canTest(): boolean {
    const { next, isDecoded } = this.#tests
    return next !== undefined && isDecoded && this.#parts.weights.find(next.step) !== undefined
  }

  /**
   * Computes the next block of the test set and sends its result. `#canTest` must be true.
   * @throws ProtocolError if the block's weights are no longer kept
   */
  async #testOne(): Promise<void> {
    const { weights, compute, link, run, now } = this.#parts
    const ready = this.#tests.take()
    if (ready === undefined) return
    const { deal: { round, attempt, step }, block, samples, images, dealtAt } = ready
    const parameters = weights.find(step)
    if (parameters === undefined || parameters === 'gone') throw new ProtocolError(`weights ${step}, which a block of the test set is to be computed with, are here no more`)
    // Memory is compared, not versions: weights of this version that were loaded for a lane may have been overwritten on their way to the
    // engine, since the lane's step was over.
    if (this.#loaded?.parameters !== parameters) this.#setParameters(step, parameters)
    this.#clock.notBefore(dealtAt)
    const begin = now()
    const logits = await compute.logits(images, samples.length)
    this.#tell({ name: 'test', begin, end: now(), step, unit: block })
    this.#outbox?.flush()
    const result = evaluateBlock(run.network, logits, samples.map((id) => this.#samples.classOf(id)))
    link.send({ message: 'evaluation', evaluation: { round, attempt, block, seconds: this.#clock.lap(), ...result } })
  }

  /** Reports a computed lane to the coordinator, which measures each worker's speed by these reports and sees that the work goes on. */
  #report({ round }: Deal, lane: number, seconds: number): void {
    this.#tellQueue()
    this.#outbox?.flush()
    this.#parts.link.send({ message: 'computed', computed: { round, lane, seconds } })
  }

  #tell(span: Span): void {
    this.#parts.observer.onSpan(span)
    this.#outbox?.add(span)
  }

  #tellQueue(): void {
    const jobs = [this.#current, ...this.#queue].flatMap((job) => (job !== undefined && 'deal' in job && !job.abandoned ? [job] : []))
    this.#parts.observer.onQueue(jobs.reduce((sum, { walk }) => sum + walk.left, this.#lanes.inEngine), this.#input.prepared)
  }
}
