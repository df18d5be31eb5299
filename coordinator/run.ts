import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { randomUUID } from 'node:crypto'
import { openDataset, type Dataset } from '../shared/data/dataset.ts'
import type { DecodedCache } from '../shared/data/caches/decoded_cache.ts'
import { FolderSource } from '../shared/data/sources/image_source.ts'
import { manifestOf } from '../shared/data/manifest.ts'
import { choosePrecision, measurePrecision } from '../shared/compute/precision.ts'
import { openDecoded } from '../shared/data/caches/open_decoded.ts'
import { resolveEngine } from '../shared/engine/create.ts'
import type { EngineKind } from '../shared/engine/engine.ts'
import { messageOf, RunError } from '../shared/kit/errors.ts'
import { parseAddress } from '../shared/command/options.ts'
import { reachableHost } from '../shared/security/loopback.ts'
import type { Log } from '../shared/kit/log.ts'
import { initialParameters } from '../shared/model/initial.ts'
import { layoutOf } from '../shared/model/layout.ts'
import { buildNetwork } from '../shared/model/models.ts'
import { cacheFolder, shownPath } from '../shared/kit/paths.ts'
import { RunFolder } from '../shared/run_folder/run_folder.ts'
import { machineSeconds, type Span, type SpanObserver } from '../shared/trace/span.ts'
import type { OptimizerState } from '../shared/optim/adam.ts'
import { InputPipeline } from '../shared/data/input_pipeline.ts'
import { LocalCompute } from '../shared/compute/local_compute.ts'
import { Schedule } from '../shared/lanes/sample_schedule.ts'
import { scoreTest } from '../shared/evaluation/score.ts'
import { versionsOf } from '../shared/kit/versions.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import type { Access } from './port/access.ts'
import type { Cluster } from './contract/cluster.ts'
import { progressOf } from './record/checkpoint_position.ts'
import type { Console } from './watch/console.ts'
import type { Observer, RunEvent } from './contract/events.ts'
import { openCluster } from './cluster/open_cluster.ts'
import type { WorkerCluster } from './cluster/worker_cluster.ts'
import type { LocalProcesses } from './local/processes.ts'
import { startLocalWorkers } from './local/workers.ts'
import { freshState, Model } from '../shared/optim/stepped_weights.ts'
import type { CoordinatorOptions, RunOptions } from './options.ts'
import { ReducerHub, ReducerLostError } from './exchange/remote/hub.ts'
import { startLocalReducers } from './local/reducers.ts'
import { cutRanges } from './exchange/remote/ranges.ts'
import { reduceHere, weightsOf, type Reduce } from './exchange/reduction.ts'
import { checkpointToResume, requireSameRun, resumedOptions } from './resume.ts'
import type { Onlookers } from './watch/onlookers.ts'
import { printEnd } from './run_end.ts'
import { RunRecord } from './record/run_record.ts'
import { MachineMemory } from './members/machine_memory.ts'
import { SingleNodeCluster } from './single_node.ts'
import { TensorBoardRecord } from './watch/tensorboard.ts'
import { train } from './training.ts'
import { StoppedWhileWaiting } from './contract/interruptions.ts'
import { beginning } from './contract/progress.ts'

export interface RunSurroundings {
  /** Names of options that the user gave, rather than left at their defaults. */
  given: ReadonlySet<string>
  log: Log
  console: Console
  /** Metrics, live page, trace. */
  onlookers: Onlookers
  stop: StopRequest
  /** Who may take part. */
  access: Access
}

/** How a signal reaches a run that is going on. */
export interface StopRequest {
  signal: string | undefined
  /** Called when `signal` is set. */
  onRequest: () => void
}

/**
 * One run, from its options to its summary.
 * @returns whether it was stopped by a signal before it was done
 */
export async function startRun(asked: CoordinatorOptions, surroundings: RunSurroundings): Promise<{ stopped: boolean }> {
  const { console, log, stop, onlookers } = surroundings
  const resume = await checkpointToResume(asked)
  const wanted = resume === undefined ? asked : resumedOptions(asked, surroundings.given, resume.checkpoint, resume.file)
  const { engine, notice } = resolveEngine(wanted.engine, wanted.precision === 'auto' ? 'f32' : wanted.precision, wanted.gpu)
  if (notice !== undefined) log.warn(notice)

  // Everything that can be wrong with the data, the network and the checkpoint shows before a folder is made.
  const data = wanted.data ?? ''
  const bar = console.progress('checking images')
  const dataset = await openDataset(data, { testFraction: wanted.testFraction, cacheFolder: cacheFolder(), onProgress: (done, total) => bar.update(done, total) })
  bar.end()
  const network = buildNetwork(wanted.model, { imageSize: wanted.imageSize, classes: dataset.classes.length })
  const layout = layoutOf(network)
  if (resume !== undefined) requireSameRun(resume.checkpoint, network, dataset.classes, dataset.digest, resume.file)
  const { options, measured } = await withPrecision(wanted, engine, log)
  const schedule = new Schedule({ seed: options.seed, train: dataset.train, batch: options.batch, lanes: options.lanes })
  const progress = resume === undefined ? beginning : progressOf(resume.checkpoint, schedule.stepsPerEpoch)
  const ranges = cutRanges(layout.size, options.reducers)
  const start = (): OptimizerState => resume === undefined
    ? { ...freshState(layout.size), parameters: initialParameters(layout, options.seed, options.init) }
    : { parameters: resume.checkpoint.parameters, m: resume.checkpoint.adamM, v: resume.checkpoint.adamV }

  const folder = asked.resume === 'latest' ? await RunFolder.open(options.out ?? '', () => new Date()) : await RunFolder.create(options.out, () => new Date())

  // Who observes: events.jsonl, the terminal, and whoever asked for it.
  const source = new FolderSource(dataset.files)
  const config = { ...options, ...measured, data, engine, out: folder.path, versions: versionsOf(), datasetDigest: dataset.digest, classes: dataset.classes, trainImages: dataset.train.length, testImages: dataset.test.length }
  const observers: Observer[] = [console.observe, onlookers.observe]
  const observe = (event: RunEvent): void => observers.forEach((observer) => observer(event))
  const name = path.basename(folder.path)
  const run: RunDescription = {
    name, network, engine, precision: options.precision, threads: options.threads, seed: options.seed, batch: options.batch, lanes: options.lanes,
    compress: options.compress, compressWeights: options.compressWeights,
    datasetDigest: dataset.digest,
    trace: onlookers.onSpan !== undefined,
  }
  const home = ranges.length === 1
    ? { model: new Model(layout, options.lr, start()) }
    : {
        hub: new ReducerHub({
          ranges, run: JSON.stringify(run), learningRate: options.lr, start: start(), version: progress.at.step, local: !options.reducersElsewhere, silenceLimitMs: options.silenceLimit * 1000,
          now: () => machineSeconds() * 1000, observe, ...spansBy(onlookers.onSpan, 'onReducerSpan'),
        }),
      }
  const weights = home.hub ?? weightsOf(home.model)
  let cluster: Cluster | undefined
  const record = new RunRecord({
    folder, options, config, network, dataset, source, stepsPerEpoch: schedule.stepsPerEpoch, weights, now: machineSeconds, observe,
    status: () => {
      if (cluster === undefined) throw new Error('the run has no cluster yet')
      return cluster.status
    },
  })
  const tensorBoard = new TensorBoardRecord({ folder: folder.path, observe })
  observers.push(record.observe, tensorBoard.observe)
  let reached = progress
  onlookers.describe({
    facts: {
      name, folder: shownPath(folder.path), model: options.model, parameters: layout.size, imageSize: network.imageSize, classes: dataset.classes, trainImages: dataset.train.length, testImages: dataset.test.length,
      batch: options.batch, lanes: options.lanes, epochs: options.epochs, stepsPerEpoch: schedule.stepsPerEpoch, learningRate: options.lr, seed: options.seed, precision: options.precision, engine,
    },
    history: (await folder.readHistory()).filter(({ epoch }) => epoch < progress.at.epoch),
    evaluation: (await folder.readEvaluation()) ?? null,
    workersWanted: options.localWorkers ?? options.workers ?? 1,
    at: progress.at, network, engine,
    weights: async () => {
      const { step, epoch } = reached.at
      return { parameters: await weights.parameters(), step, epoch }
    },
  }, observe)

  const processes: LocalProcesses[] = []
  let decoded: DecodedCache | undefined
  try {
    if (options.singleNode && home.model !== undefined) {
      const { samples } = dataset
      decoded = await openDecoded({ cacheFolder: cacheFolder(), fileBytes: options.cacheSize, samples, imageSize: network.imageSize, log })
      const input = new InputPipeline({ source, samples, schedule, imageSize: network.imageSize, seed: options.seed, decoded, ...tracing(onlookers.onSpan) })
      const compute = await LocalCompute.start(network, options, { engine, precision: options.precision, threads: options.threads, gpu: options.gpu })
      if (compute.note !== undefined) log.warn(compute.note)
      cluster = new SingleNodeCluster({
        compute, model: home.model, input, network, schedule, lanes: options.lanes, run, samples, test: dataset.test,
        now: machineSeconds, residentBytes: () => process.memoryUsage.rss(), observe, ...tracing(onlookers.onSpan),
      })
    } else {
      const memory = home.hub === undefined && options.sharedMemory === 'auto' ? MachineMemory.create(layout.size) : undefined
      const reduce = home.hub === undefined ? reduceHere(home.model, progress.at.step, memory?.board) : home.hub.reduce
      const grpc = await listen(run, options, surroundings, dataset, source, reduce, { hub: home.hub, memory }, observe)
      cluster = grpc.cluster
      if (home.hub !== undefined) await gatherReducers(home.hub, options, surroundings, grpc, processes, observe)
      observe({ type: 'listening', address: grpc.address })
      stop.onRequest = () => {
        if (grpc.cluster.status.waiting) grpc.cluster.fail(new StoppedWhileWaiting('stopped'))
      }
      // The last worker may leave, or hang and be given up, after the stop was asked for: nobody will finish the step.
      observers.push((event) => {
        if (event.type === 'waiting' && stop.signal !== undefined) stop.onRequest()
      })
      if (options.localWorkers !== undefined) {
        const local = startLocalWorkers(options.localWorkers, options, surroundings.access, data, grpc, log)
        processes.push(local.workers)
        observers.push(local.observe)
      }
    }
    onlookers.onCluster(cluster)
    await record.begin(progress)
    observe({ type: 'started', runId: folder.path, images: dataset.train.length, testImages: dataset.test.length, classes: dataset.classes, parameters: layout.size })
    for (const { path, reason } of dataset.skipped) observe({ type: 'imageSkipped', path, reason })
    for (const { file, reason } of resume?.damaged ?? []) observe({ type: 'checkpointDamaged', file, reason })
    if (resume !== undefined) observe({ type: 'resumed', file: resume.file, epoch: progress.at.epoch, step: progress.at.step, restarts: (await restartsOf(folder)) + 1 })
    if (asked.resume !== 'latest') await record.keepBeginning(progress)

    const end = await train(
      {
        cluster, schedule, epochs: options.epochs, onNonfinite: options.onNonfinite, now: machineSeconds, observe, ...tracing(onlookers.onSpan),
        stopRequested: () => stop.signal !== undefined,
        scoreTest: (blocks) => scoreTest(blocks, dataset.samples, dataset.test, dataset.classes.length),
        reached: (at) => (reached = at),
        keepIsDue: () => record.keepIsDue,
        keepStep: (at) => record.keepStep(at),
        hold: () => record.hold(),
        keepEpoch: (result, at, held) => record.keepEpoch(result, at, held),
      },
      progress,
    )
    if (end.stopped) {
      await record.keepEnd(end.progress, end.held)
      const goOn = `npx coordinator --resume latest --out ${folder.path} --data ${data}`
      if (end.failure !== undefined) throw new RunError(`${end.failure.message}\nA checkpoint is saved; go on with: ${goOn}`)
      observe({ type: 'stopped', signal: stop.signal ?? '' })
      console.print(`Stopped in epoch ${end.progress.at.epoch}. Go on with: ${goOn}`, { epoch: end.progress.at.epoch, goOn })
      await cluster.close({ finished: false, reason: 'it was stopped' })
      return { stopped: true }
    }
    const last = end.last ?? (await evaluateOnly(cluster, dataset, folder, progress))
    const { digest, sheet, summary } = await record.finish(last, end.progress, await restartsOf(folder))
    observe({ type: 'finished', digest, epochs: options.epochs, seconds: end.progress.seconds })
    onlookers.finish(summary)
    await cluster.close({ finished: true, reason: 'the run has finished' })
    await closeAll(processes)
    printEnd(console, folder, sheet, digest, last.test.accuracy)
    return { stopped: false }
  } catch (error) {
    // Before anything was trained.
    if (error instanceof StoppedWhileWaiting) {
      await cluster?.close({ finished: false, reason: 'it was stopped' })
      return { stopped: true }
    }
    observe({ type: 'failed', reason: messageOf(error) })
    await cluster?.close({ finished: false, reason: 'the run failed' })
    if (error instanceof ReducerLostError) throw new RunError(`${error.message}\nGo on from the last checkpoint with: npx coordinator --resume latest --out ${folder.path} --data ${data}`)
    throw error
  } finally {
    await closeAll(processes)
    await decoded?.close()
    await record.idle()
    await tensorBoard.close()
  }
}

/**
 * Decides what `--precision auto` is.
 * @returns also what config.json tells of the decision
 */
async function withPrecision(wanted: CoordinatorOptions, engine: EngineKind, log: Log): Promise<{ options: RunOptions; measured: { precisionMeasured?: { ratio: number | null; reason: string } } }> {
  const { precision, threads, gpu, localWorkers, singleNode } = wanted
  if (precision !== 'auto') return { options: { ...wanted, precision }, measured: {} }
  const chosen = await choosePrecision(engine, () => measurePrecision({ threads, gpu }))
  const elsewhere = localWorkers === undefined && !singleNode && chosen.ratio !== undefined ? ' Workers of another kind may differ: then say --precision f32 or bf16.' : ''
  log.info(`--precision auto is ${chosen.precision}: ${chosen.reason}.${elsewhere}`)
  return { options: { ...wanted, precision: chosen.precision }, measured: { precisionMeasured: { ratio: chosen.ratio ?? null, reason: chosen.reason } } }
}

/** A run that was already complete when it was resumed still gets its summary. */
async function evaluateOnly(cluster: Cluster, dataset: Dataset, folder: RunFolder, progress: typeof beginning): Promise<{ train: { loss: number }; test: ReturnType<typeof scoreTest> }> {
  const test = scoreTest(await cluster.evaluate(progress.at), dataset.samples, dataset.test, dataset.classes.length)
  return { train: { loss: (await folder.readHistory()).at(-1)?.trainLoss ?? Number.NaN }, test }
}

async function listen(
  run: RunDescription, options: RunOptions, { access, onlookers }: RunSurroundings, dataset: Dataset, source: FolderSource, reduce: Reduce, { hub, memory }: { hub: ReducerHub | undefined; memory: MachineMemory | undefined }, observe: Observer,
): Promise<{ cluster: WorkerCluster; address: string; localAddress: string }> {
  const onSpan = onlookers.onSpan
  const { cluster, port } = await openCluster({
    address: options.listen, run, test: dataset.test, reduce,
    workersWanted: options.minWorkers ?? options.localWorkers ?? options.workers ?? 1,
    waitLimitMs: options.waitForWorkers === undefined ? Number.POSITIVE_INFINITY : options.waitForWorkers * 1000,
    strictNumerics: options.strictNumerics,
    silenceLimitMs: options.silenceLimit * 1000,
    server: {
      runId: randomUUID(), run: JSON.stringify(run), manifest: gzipSync(JSON.stringify(manifestOf(dataset))), source, sampleCount: dataset.samples.length, brief: onlookers.brief, access,
      ...(hub === undefined ? {} : { reducers: hub }), ...(memory === undefined ? {} : { memory }),
    },
    now: () => machineSeconds() * 1000,
    observe,
    ...(onSpan === undefined ? {} : { onSpan }),
    ...spansBy(onSpan, 'onWorkerSpan'),
  })
  const host = parseAddress(options.listen)?.host ?? '127.0.0.1'
  const addressOf = (name: string): string => `${name.includes(':') ? `[${name}]` : name}:${port}`
  return { cluster, address: addressOf(host), localAddress: addressOf(reachableHost(host)) }
}

/** Waits until all reducers are in: those that are started here, or elsewhere. */
async function gatherReducers(hub: ReducerHub, options: CoordinatorOptions, { access, stop, log }: RunSurroundings, at: { address: string; localAddress: string }, processes: LocalProcesses[], observe: Observer): Promise<void> {
  stop.onRequest = () => hub.fail(new StoppedWhileWaiting('stopped'))
  if (options.reducersElsewhere) observe({ type: 'waitingForReducers', address: at.address, reducers: options.reducers })
  else processes.push(startLocalReducers(hub, options, access, at.localAddress, log))
  const { waitForWorkers } = options
  const patience = waitForWorkers === undefined ? undefined : setTimeout(() => hub.fail(new RunError(`--wait-for-workers ${waitForWorkers}: not all of ${options.reducers} reducers are in after that time.`)), waitForWorkers * 1000)
  await hub.ready()
  clearTimeout(patience)
}

async function closeAll(processes: readonly LocalProcesses[]): Promise<void> {
  await Promise.all(processes.map((each) => each.close()))
}

/** How often the run has been resumed. */
async function restartsOf(folder: RunFolder): Promise<number> {
  return (await folder.readEvents()).filter((event) => event.event === 'resumed').length
}

/** Spans of other processes, by their name. */
function spansBy<K extends string>(onSpan: ((span: Span, process?: string) => void) | undefined, key: K): { [key in K]?: (process: string, span: Span) => void } {
  return onSpan === undefined ? {} : ({ [key]: (process: string, span: Span) => onSpan(span, process) } as { [key in K]: (process: string, span: Span) => void })
}

function tracing(onSpan: SpanObserver | undefined): { onSpan?: SpanObserver } {
  return onSpan === undefined ? {} : { onSpan: (span) => onSpan(span) }
}
