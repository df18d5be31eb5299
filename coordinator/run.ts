import path from 'node:path'
import { type Dataset } from '../shared/data/dataset.ts'
import { messageOf, RunError } from '../shared/kit/errors.ts'
import type { Log } from '../shared/kit/log.ts'
import { shownPath } from '../shared/kit/paths.ts'
import { thawed } from '../shared/model/frozen.ts'
import { wholeLayoutOf } from '../shared/model/layout.ts'
import { rateAt } from '../shared/optim/schedule.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import { TakenOverError } from '../shared/run_folder/run_lock.ts'
import { machineSeconds, tracing } from '../shared/trace/span.ts'
import { scoreTest } from '../shared/evaluation/score.ts'
import { versionsOf } from '../shared/kit/versions.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import type { Access } from './port/access.ts'
import type { Cluster } from './contract/cluster.ts'
import type { Console } from './watch/console.ts'
import type { Observer, RunEvent } from './contract/events.ts'
import type { LocalProcesses } from './local/processes.ts'
import { startLocalWorkers } from './local/workers.ts'
import type { CoordinatorOptions } from './options.ts'
import { confirmedWeights } from './exchange/reduction.ts'
import { wholeWeights } from './exchange/whole_weights.ts'
import { type ReducerHub, ReducerLostError } from './exchange/remote/hub.ts'
import { startLocalReducers } from './local/reducers.ts'
import type { Onlookers } from './watch/onlookers.ts'
import { printEnd } from './run_end.ts'
import { BannedFile } from './record/banned.ts'
import { auditedStepsOf } from './record/digest_record.ts'
import { RunRecord } from './record/run_record.ts'
import { TensorBoardRecord } from './watch/tensorboard.ts'
import { train } from './training.ts'
import { GoBackError, STOP_PATIENCE_MS, StoppedWhileWaiting, WrongStepError } from './contract/interruptions.ts'
import type { beginning } from './contract/progress.ts'
import { goOnCommand } from './go_on.ts'
import { homeOfWeights, openCluster } from './open_cluster.ts'
import { openSingleNode } from './open_single_node.ts'
import { prepareRun, type PreparedRun } from './prepare.ts'
import { RunPlace } from './run_place.ts'

export interface RunSurroundings {
  /** Names of the options that the user set, rather than left at their defaults. */
  given: ReadonlySet<string>
  log: Log
  console: Console
  /** Metrics, live page, trace. */
  onlookers: Onlookers
  stop: StopRequest
  /** Number of the first steps in which everything that workers send is checked, since the run has come back from a later one. */
  attentiveUntil: number
  /** Credentials and limits that decide which workers and reducers may join. */
  access: Access
  /** Signs bytes with the key of --sign; undefined without one. */
  sign?: ((bytes: Uint8Array) => Buffer) | undefined
}

/** A request to stop, by which a signal reaches the run in progress. */
export interface StopRequest {
  /** Name of the signal; undefined until one arrives. */
  signal: string | undefined
  /** Called after `signal` is set. */
  onRequest: () => void
}

/**
 * Executes one run, from its options to its summary.
 * @returns `stopped`: true if a signal ended the run before it was done
 * @throws as `prepareRun`; GoBackError if a part of the weights is lost; RunError if the run fails
 */
export async function startRun(asked: CoordinatorOptions, surroundings: RunSurroundings): Promise<{ stopped: boolean }> {
  const place = await RunPlace.claim(asked, surroundings.log)
  try {
    return await runAt(place, surroundings)
  } finally {
    await place.release()
  }
}

async function runAt(place: RunPlace, surroundings: RunSurroundings): Promise<{ stopped: boolean }> {
  const { options: asked } = place
  const { console, log, stop, onlookers, access } = surroundings
  const prepared = await prepareUnlessStopped(asked, surroundings)
  if (prepared === undefined) return { stopped: true }
  const { options, recipe, data, dataset, source, network, layout, optimizer, schedule, resume, progress } = prepared
  const folder = await place.folder()
  const name = path.basename(folder.path)
  const goOn = goOnCommand(asked, surroundings.given, folder.path, process.cwd())
  const { onSpan } = onlookers
  const rateOf = (update: number): number => rateAt(recipe.schedule, recipe.lr, update, schedule.stepsPerEpoch)

  // The terminal and the onlookers observe the run; events.jsonl and TensorBoard's file are added below.
  const observers: Observer[] = [console.observe, onlookers.observe]
  const observe = (event: RunEvent): void => observers.forEach((observer) => observer(event))
  const audit = await auditedStepsOf(asked.resume === 'latest' ? folder : undefined, options.auditEvery, surroundings.given.has('auditEvery'), schedule.stepsPerEpoch)
  const run: RunDescription = { ...recipe, name, network, datasetDigest: dataset.digest, trace: onSpan !== undefined, audit }
  const home = homeOfWeights({ run, layout, optimizer, start: prepared.start, version: progress.at.step, options, observe, onSpan })
  const weights = wholeWeights(home.weights, network, prepared.frozen)
  const { size: parameters } = wholeLayoutOf(network)
  let cluster: Cluster | undefined
  const record = new RunRecord({
    folder, options, recipe, audit, sign: surroundings.sign, requireOurs: () => place.requireOurs(), config: configOf(prepared, folder), network, optimizer, dataset, source, stepsPerEpoch: schedule.stepsPerEpoch, weights: confirmedWeights(weights, () => cluster?.confirmed() ?? Promise.resolve()), now: machineSeconds, observe, rateOf,
    status: () => {
      if (cluster === undefined) throw new Error('the run has no cluster yet')
      return cluster.status
    },
  })
  const tensorBoard = new TensorBoardRecord({ folder: folder.path, observe, now: machineSeconds })
  observers.push(record.observe, tensorBoard.observe)
  let reached = progress
  onlookers.describe({
    facts: {
      name, folder: shownPath(folder.path), recipe, parameters, classes: dataset.classes, trainImages: dataset.train.length, testImages: dataset.test.length, stepsPerEpoch: schedule.stepsPerEpoch,
    },
    history: (await folder.readHistory()).filter(({ epoch }) => epoch < progress.at.epoch),
    evaluation: (await folder.readEvaluation()) ?? null,
    workersWanted: options.localWorkers ?? options.workers ?? 1,
    at: progress.at, network: thawed(network), transforms: recipe, engine: recipe.engine,
    weights: async () => {
      const { step, epoch } = reached.at
      return { parameters: await weights.parameters(), step, epoch }
    },
  }, observe)

  const banned = await BannedFile.open(folder, log)
  const processes: LocalProcesses[] = []
  let address = options.listen
  let closeInput = async (): Promise<void> => undefined
  try {
    if (options.singleNode && home.model !== undefined) {
      const single = await openSingleNode(prepared, run, home.model, source, { observe, onSpan, log, precedent: options.allowMixedNumerics ? undefined : prepared.resume?.precedent })
      cluster = single.cluster
      stop.onRequest = () => giveUpLater(single.cluster)
      closeInput = single.close
    } else {
      const opened = await openCluster({ run, layout, home, options, access, attentiveUntil: surroundings.attentiveUntil, precedent: prepared.resume?.precedent, bans: banned.bans, dataset, frozen: prepared.frozen, source, test: dataset.test, brief: onlookers.brief, observe, onSpan })
      cluster = opened.cluster
      address = opened.address
      if (home.hub !== undefined) await gatherReducers(home.hub, options, surroundings, opened, processes, observe)
      observe({ type: 'listening', address: opened.address })
      stop.onRequest = () => {
        if (opened.cluster.status.waiting) opened.cluster.fail(new StoppedWhileWaiting('stopped'))
        else giveUpLater(opened.cluster)
      }
      // The last worker may leave or be evicted after the stop was requested: no worker is then left to finish the step.
      observers.push((event) => {
        if (event.type === 'waiting' && stop.signal !== undefined) stop.onRequest()
      })
      if (options.localWorkers !== undefined) {
        const local = startLocalWorkers(options.localWorkers, options, access, data, opened, log)
        processes.push(local.workers)
        observers.push(local.observe)
      }
    }
    onlookers.onCluster(cluster)
    await record.begin(progress)
    observe({ type: 'started', runId: folder.path, images: dataset.train.length, testImages: dataset.test.length, classes: dataset.classes, parameters })
    for (const { path, reason } of dataset.skipped) observe({ type: 'imageSkipped', path, reason })
    for (const { file, reason } of resume?.damaged ?? []) observe({ type: 'checkpointDamaged', file, reason })
    if (resume !== undefined) observe({ type: 'resumed', file: resume.file, epoch: progress.at.epoch, step: progress.at.step, restarts: (await folder.countRestarts()) + 1 })
    if (asked.resume !== 'latest') await record.keepBeginning(progress)

    const training = train(
      {
        cluster, schedule, epochs: recipe.epochs, stopsAfter: (epoch) => record.stopsAfter(epoch), rateOf, onNonfinite: recipe.onNonfinite, now: machineSeconds, observe, ...tracing(onSpan),
        stopRequested: () => stop.signal !== undefined || !place.isOurs,
        scoreTest: (blocks) => scoreTest(blocks, dataset.samples, dataset.test, dataset.classes.length),
        reached: (at) => (reached = at),
        keepDigests: (at, lanes) => record.keepDigests(at, lanes),
        keepIsDue: () => record.keepIsDue,
        keepStep: (at) => record.keepStep(at),
        hold: () => record.hold(),
        keepEpoch: (result, at, held) => record.keepEpoch(result, at, held),
      },
      progress,
    )
    training.catch(() => undefined)
    const end = await Promise.race([training, place.takenOver])
    await cluster.confirmed()
    if (end.stopped) {
      await record.keepEnd(end.progress, end.held)
      if (end.failure !== undefined) throw new RunError(`${end.failure.message}\nA checkpoint is saved; go on with: ${goOn}`)
      observe({ type: 'stopped', signal: stop.signal ?? '' })
      console.print(`Stopped in epoch ${end.progress.at.epoch}. Go on with: ${goOn}`, { epoch: end.progress.at.epoch, goOn })
      await cluster.close({ finished: false, reason: 'it was stopped' })
      return { stopped: true }
    }
    const last = end.last ?? (await evaluateOnly(cluster, dataset, folder, progress))
    const { digest, sheet, summary } = await record.finish(last, end.progress, await folder.countRestarts())
    observe({ type: 'finished', digest, epochs: summary.epochs, seconds: end.progress.seconds })
    onlookers.finish(summary)
    await cluster.close({ finished: true, reason: 'the run has finished' })
    await Promise.all(processes.map((each) => each.close()))
    printEnd(console, folder, { sheet, digest, accuracy: last.test.accuracy, best: record.best })
    return { stopped: false }
  } catch (error) {
    // The stop came before this process had trained anything.
    if (error instanceof StoppedWhileWaiting) {
      await cluster?.close({ finished: false, reason: 'it was stopped' })
      return { stopped: true }
    }
    if (error instanceof TakenOverError) record.abandon()
    const goesBack = (error instanceof ReducerLostError || error instanceof WrongStepError) && (await folder.checkpoints.hasAny())
    if (!goesBack) observe({ type: 'failed', reason: messageOf(error) })
    const workers = cluster?.status.workers
    await cluster?.close({ finished: false, reason: 'the run failed' })
    if (goesBack) {
      const { attentiveUntil, someoneIsOut } = error instanceof WrongStepError ? error : { attentiveUntil: 0, someoneIsOut: false }
      throw new GoBackError(`${error.message}\nGo on from the last checkpoint with: ${goOn}`, { progressed: reached.at.step > progress.at.step, folder: folder.path, address, attentiveUntil, workersLeft: someoneIsOut ? workers : undefined })
    }
    throw error
  } finally {
    await closeAll(processes)
    await closeInput()
    await record.close()
    await banned.close()
    await tensorBoard.close()
  }
}

/**
 * Gives up what goes on in a cluster that was asked to stop, if it takes too long: a step in progress is lost, and an evaluation begins anew with the next
 * start. Supervisors kill a process half a minute after they have asked it to end.
 */
function giveUpLater(cluster: Pick<Cluster, 'fail'>): void {
  setTimeout(() => cluster.fail(new StoppedWhileWaiting('stopped')), STOP_PATIENCE_MS).unref()
}

/** Prepares the run, unless a stop is requested before the images are checked. @returns undefined then: nothing has begun yet */
async function prepareUnlessStopped(asked: CoordinatorOptions, { given, log, console, stop }: RunSurroundings): Promise<PreparedRun | undefined> {
  const checking = new AbortController()
  stop.onRequest = () => checking.abort(new StoppedWhileWaiting('stopped'))
  if (stop.signal !== undefined) stop.onRequest()
  try {
    const prepared = await prepareRun(asked, given, { log, console, signal: checking.signal })
    if (stop.signal === undefined) return prepared
  } catch (error) {
    if (!(error instanceof StoppedWhileWaiting)) throw error
  }
  console.print('Stopped before the run began. What was found out about the images is kept for the next start.')
  return undefined
}

/** Builds config.json: every option as resolved, with the recipe as one object, and the versions and data that the run depends on. */
function configOf({ options, recipe, data, dataset, measured }: PreparedRun, folder: RunFolder): Record<string, unknown> {
  const others = Object.fromEntries(Object.entries(options).filter(([key]) => !Object.hasOwn(recipe, key)))
  return { ...others, recipe, ...measured, data, out: folder.path, versions: versionsOf(), datasetDigest: dataset.digest, classes: dataset.classes, trainImages: dataset.train.length, testImages: dataset.test.length }
}

/** Evaluates a run that was already complete when it was resumed, so that it still gets its summary. */
async function evaluateOnly(cluster: Cluster, dataset: Dataset, folder: RunFolder, progress: typeof beginning): Promise<{ train: { loss: number }; test: ReturnType<typeof scoreTest> }> {
  const test = scoreTest(await cluster.evaluate(progress.at), dataset.samples, dataset.test, dataset.classes.length)
  return { train: { loss: (await folder.readHistory()).at(-1)?.trainLoss ?? Number.NaN }, test }
}

/**
 * Waits until all reducers have joined; starts them on this machine unless they are started elsewhere.
 * @throws RunError if they do not join within --wait-for-workers; StoppedWhileWaiting if a stop is requested meanwhile
 */
async function gatherReducers(hub: ReducerHub, options: CoordinatorOptions, { access, stop, log }: RunSurroundings, at: { address: string; localAddress: string }, processes: LocalProcesses[], observe: Observer): Promise<void> {
  stop.onRequest = () => hub.fail(new StoppedWhileWaiting('stopped'))
  if (options.reducersElsewhere) observe({ type: 'waitingForReducers', address: at.address, reducers: options.reducers })
  else processes.push(startLocalReducers(hub, options, access, at.localAddress, log))
  const { waitForWorkers } = options
  const patience = waitForWorkers === undefined ? undefined : setTimeout(() => hub.fail(new RunError(`--wait-for-workers ${waitForWorkers}: not all of ${options.reducers} reducers are in after that time.`)), waitForWorkers * 1000)
  await hub.ready().finally(() => clearTimeout(patience))
}

/** Ends processes of this machine whose run has not finished; those of a finished run have ended by themselves. */
async function closeAll(processes: readonly LocalProcesses[]): Promise<void> {
  await Promise.all(processes.map((each) => each.close('SIGTERM')))
}
