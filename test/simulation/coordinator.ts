import { Checkpointer } from '../../coordinator/record/checkpointer.ts'
import { checkpointFacts, progressOf, type CheckpointFacts } from '../../coordinator/record/checkpoint_position.ts'
import type { Cluster, StepResult } from '../../coordinator/contract/cluster.ts'
import type { RunEvent } from '../../coordinator/contract/events.ts'
import type { ReducerHub } from '../../coordinator/exchange/remote/hub.ts'
import { confirmedWeights, type Weights } from '../../coordinator/exchange/reduction.ts'
import { optimizerStateOf } from '../../shared/checkpoint/checkpoint.ts'
import { requireSameRun } from '../../coordinator/resume.ts'
import { train, type TrainingEnd } from '../../coordinator/training.ts'
import { STOP_PATIENCE_MS, StoppedWhileWaiting, WrongStepError } from '../../coordinator/contract/interruptions.ts'
import { beginning, type Progress } from '../../coordinator/contract/progress.ts'
import { WorkerCluster } from '../../coordinator/cluster/worker_cluster.ts'
import { homeOfWeights } from '../../coordinator/open_cluster.ts'
import type { OptimizerState } from '../../shared/optim/optimizer.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { laneRange } from '../../shared/lanes/lane_tree.ts'
import { scoreTest } from '../../shared/evaluation/score.ts'
import { withoutTime, type Undisturbed } from './baseline.ts'
import type { VirtualClock } from './clock.ts'
import type { SimulatedDisk } from './disk.ts'
import type { Network } from './network.ts'
import { initialModel, type Problem } from './problem.ts'
import { SimulatedProcess } from './process.ts'
import { SimulatedServer } from './server.ts'
import type { Count } from './statistics.ts'
import type { Trace } from './trace.ts'

export interface CoordinatorParts {
  incarnation: number
  clock: VirtualClock
  network: Network
  problem: Problem
  disk: SimulatedDisk
  /** Seconds between two checkpoints in mid-epoch. */
  checkpointSeconds: number
  trace: Trace
  count: Count
  workersWanted: number
  silenceLimitMs: number
  /** Number of reducers; with 0 the coordinator reduces. */
  reducers: number
  /** Share of the partials that is checked. */
  verify: number
  /** Number of the first steps in which everything is checked. */
  attentiveUntil: number
  /** Secret of the checks, and random numbers for the choice of who makes them. */
  secret: string
  random: () => number
  /** Called with each identity that is put out of the run. */
  onBan: (identity: string) => void
  /** Called when an epoch has been recorded. */
  onEpoch: (result: Undisturbed['epochs'][number]) => void
  /** Called when the process has ended by itself. */
  onExit: (end: { how: 'stopped' } | { how: 'failed'; attentiveUntil: number } | { how: 'finished'; state: OptimizerState; progress: Progress }) => void
}

const TICK_MS = 100
/** Time that the real server waits for its sessions to end when it closes. */
const CLOSE_MS = 3000

/** A coordinator process: like coordinator/run.ts it runs the real cluster and training loop, and resumes from the checkpoint on the disk. */
export class SimulatedCoordinator {
  readonly process: SimulatedProcess
  readonly #parts: CoordinatorParts
  readonly #cluster: WorkerCluster
  readonly #server: SimulatedServer
  readonly #checkpointer: Checkpointer
  readonly #weights: Weights
  readonly #hub: ReducerHub | undefined
  readonly #from: Progress
  #stopRequested = false

  constructor(parts: CoordinatorParts) {
    const { problem, clock, network, workersWanted, silenceLimitMs } = parts
    this.#parts = parts
    this.process = new SimulatedProcess(`coordinator ${parts.incarnation}`, clock)
    const checkpoint = parts.disk.read()
    if (checkpoint !== undefined) requireSameRun(checkpoint, problem.run.network, problem.classes, problem.run.datasetDigest, 'the disk')
    this.#from = checkpoint === undefined ? beginning : progressOf(checkpoint, problem.schedule.stepsPerEpoch)
    const start = checkpoint === undefined ? initialModel(problem).state : optimizerStateOf(checkpoint, problem.optimizer, 'the disk')
    let ids = 0
    const newId = (): string => `${parts.incarnation}/${++ids}`
    const observe = (event: RunEvent): void => this.#observe(event)
    const home = homeOfWeights({
      run: problem.run, layout: problem.layout, optimizer: problem.optimizer, start, version: this.#from.at.step, options: { reducers: Math.max(1, parts.reducers), reducersElsewhere: false, silenceLimit: silenceLimitMs / 1000 },
      observe, onSpan: undefined, now: () => clock.now, newId, chunkFloats: problem.chunkFloats,
    })
    this.#hub = home.hub
    this.#weights = home.weights
    this.#cluster = new WorkerCluster({
      run: problem.run, test: problem.test, reduce: home.reduce(), workersWanted, silenceLimitMs,
      waitLimitMs: Number.POSITIVE_INFINITY, allowMixedNumerics: false, vigilance: { share: parts.verify, attentiveUntil: parts.attentiveUntil, secret: parts.secret, random: parts.random }, ban: ({ identity }) => parts.onBan(identity),
      now: () => clock.now, chunkFloats: problem.chunkFloats, observe, close: (outcome) => this.#close(outcome),
    })
    this.#checkpointer = new Checkpointer({
      folder: parts.disk.folderOf(this.process), weights: confirmedWeights(this.#weights, () => this.#cluster.confirmed()), factsOf: (progress) => this.#factsOf(progress), everySeconds: parts.checkpointSeconds,
      now: () => clock.now / 1000, observe,
    })
    this.#server = new SimulatedServer({ network, handler: this.#cluster, run: problem.run, manifest: problem.manifest, newId, silenceLimitMs, reducers: this.#hub })
  }

  start(): void {
    const { network, trace } = this.#parts
    trace.add(this.process.name, `starts at step ${this.#from.at.step}`)
    network.listen({ process: this.process, worker: () => this.#server.workers, reducer: () => this.#server.reducers })
    this.process.every(TICK_MS, () => {
      this.#server.tick()
      this.#cluster.tick()
    })
    this.process.run(() => {
      this.#live().catch((error: unknown) => network.violated(`the coordinator failed: ${error instanceof Error ? error.stack : String(error)}`))
    })
  }

  /** Requests the end between two steps, as SIGTERM does. */
  stop(): void {
    this.process.run(() => {
      this.#stopRequested = true
      if (this.#cluster.status.waiting) return this.#cluster.fail(new StoppedWhileWaiting('stopped'))
      void this.process.sleep(STOP_PATIENCE_MS).then(() => this.process.run(() => this.#cluster.fail(new StoppedWhileWaiting('stopped'))))
    })
  }

  async #live(): Promise<void> {
    const { disk, trace, onExit } = this.#parts
    const checkpointer = this.#checkpointer
    try {
      await this.#hub?.ready()
      if (disk.read() === undefined) await checkpointer.save(this.#from, { keep: false })
      const end = await this.#train()
      await this.#cluster.confirmed()
      await checkpointer.saveLast(end.progress, { keep: !end.stopped, held: end.held })
      const state = await this.#weights.snapshot()
      trace.add(this.process.name, `${end.stopped ? 'stopped' : 'finished'} at step ${end.progress.at.step}`)
      await this.#cluster.close(end.stopped ? { finished: false, reason: 'it was stopped' } : { finished: true, reason: 'the run has finished' })
      onExit(end.stopped ? { how: 'stopped' } : { how: 'finished', state, progress: end.progress })
    } catch (error) {
      // A run whose last state could not be saved, that lost a reducer or took a lie, ends and is started again.
      if (!(error instanceof RunError)) throw error
      trace.add(this.process.name, `fails: ${error.message}`)
      await this.#cluster.close({ finished: false, reason: 'the run failed' })
      onExit({ how: 'failed', attentiveUntil: error instanceof WrongStepError ? error.attentiveUntil : 0 })
    }
  }

  #train(): Promise<TrainingEnd> {
    const { problem, clock, onEpoch } = this.#parts
    return train(
      {
        cluster: this.#checkedCluster(), schedule: problem.schedule, epochs: problem.epochs, stopsAfter: () => false, rateOf: () => problem.learningRate, onNonfinite: 'skip', now: () => clock.now / 1000,
        observe: (event) => this.#observe(event),
        stopRequested: () => this.#stopRequested,
        scoreTest: (blocks) => scoreTest(blocks, problem.samples, problem.test, problem.classes.length),
        reached: () => undefined,
        keepIsDue: () => this.#checkpointer.isDue,
        keepStep: (progress) => this.#checkpointer.offer(progress),
        hold: () => this.#checkpointer.hold(),
        keepDigests: () => Promise.resolve(),
        keepEpoch: async (result, progress, held) => {
          onEpoch(withoutTime(result))
          await this.#checkpointer.save(progress, { keep: false, held })
        },
      },
      this.#from,
    )
  }

  /** Tells the workers, and ends the process. */
  async #close(stop: { finished: boolean; reason: string }): Promise<void> {
    this.#server.close(stop)
    await this.process.sleep(CLOSE_MS)
    await this.#checkpointer.idle()
    this.process.kill()
  }

  /** The cluster, with a check of every step: each of its lanes is reported once, with the number of its samples. */
  #checkedCluster(): Cluster {
    const cluster = this.#cluster
    const { network, problem, count } = this.#parts
    return {
      gathered: () => cluster.gathered(),
      evaluate: async (at) => {
        const blocks = await cluster.evaluate(at)
        count('test blocks counted', blocks.length)
        return blocks
      },
      evaluatesBeside: cluster.evaluatesBeside,
      confirmed: () => cluster.confirmed(),
      fail: (error) => cluster.fail(error),
      close: (outcome) => cluster.close(outcome),
      get status() {
        return cluster.status
      },
      trainStep: async (at, numbers): Promise<StepResult> => {
        const result = await cluster.trainStep(at, numbers)
        const { samples } = numbers
        const expected = Array.from({ length: problem.run.lanes }, (_, lane) => {
          const { begin, end } = laneRange(samples, problem.run.lanes, lane)
          return `${lane}:${end - begin}`
        })
        const reported = result.lanes.map((report) => `${report.lane}:${report.samples}`)
        if (reported.join() !== expected.join()) network.violated(`step ${at.step} counted lanes ${reported.join()} instead of ${expected.join()}`)
        count('lanes counted', result.lanes.length)
        return result
      },
    }
  }

  #factsOf(progress: Progress): CheckpointFacts {
    const { run, classes, schedule, optimizer: { name, moments } } = this.#parts.problem
    return checkpointFacts({ network: run.network, classes, config: {}, optimizer: { name, moments: [...moments] }, datasetDigest: run.datasetDigest, stepsPerEpoch: schedule.stepsPerEpoch }, progress)
  }

  #observe(event: RunEvent): void {
    const { trace, count } = this.#parts
    trace.add(this.process.name, JSON.stringify(event))
    if (event.type === 'dealtAgain') count('units dealt again', event.units.length)
    if (event.type === 'takenOver') count('units taken over', event.units.length)
    if (event.type === 'evaluating' && event.beside) count('evaluations beside training')
    if (event.type === 'gradientNotFinite') count('steps left out')
    if (event.type === 'workerLeft') count('workers left')
    if (event.type === 'dropped') count('units dropped', event.units)
    if (event.type === 'workerJoined') count('workers joined')
    if (event.type === 'checkpoint') count('checkpoints')
    if (event.type === 'checkpointFailed') count('checkpoints failed')
    if (event.type === 'reducerJoined') count('reducers joined')
    if (event.type === 'reducerLost') count('reducers lost')
    if (event.type === 'workerLost') count('workers lost')
    if (event.type === 'checked') count(`checks ${event.result}`)
    if (event.type === 'disputed') count('checks disputed')
    if (event.type === 'workerLied') count(event.counted ? 'lies counted' : 'lies in checks')
  }
}
