import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RunError } from '../../shared/kit/errors.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { EventLine, HistoryLine } from '../../shared/run_folder/schemas.ts'
import { blockCount } from '../../shared/evaluation/blocks.ts'
import { Program } from '../support/processes.ts'
import { ChaosCluster } from './cluster.ts'
import type { InjectedFault, PlannedFault } from './faults.ts'
import { joinLiars, namedIn, type LyingKind } from './liars.ts'
import { inject } from './inject.ts'
import { reportOf, type ChaosReport } from './report.ts'
import { timelineOf } from './timeline.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'

export const WORKERS = 3
const BATCH = 16
const LANES = 8
/** Time of silence after which a worker is lost: short, since the run is short. */
const SILENCE_LIMIT_SECONDS = 3
/** Time between checkpoints: so short that there are some in mid-epoch too. */
const CHECKPOINT_SECONDS = 0.8

export interface ChaosOptions {
  /** Seed of the run and of the faults. */
  seed: number
  engine: 'auto' | 'native' | 'wasm'
  epochs: number
  /** Options that choose the network. Liars need one whose vector is cut into several chunks. */
  model: readonly string[]
  /** Folder that gets the folders of the two runs, undisturbed/ and disturbed/. */
  out: string
  environment: Record<string, string>
  /** Lists of faults: those of one list come one after the other, the lists side by side. */
  plans: Iterable<PlannedFault>[]
  /** Ways of lying: a worker that lies so joins as well, one after the other. */
  liars: readonly LyingKind[]
  say: (line: string) => void
}

/** Options for a network of 24,442 parameters on small images, whose steps take some tens of milliseconds. */
export const QUICK_MODEL = ['--model', 'tiny', '--image-size', '48']

/** Arguments of a coordinator for a run of these options. */
export function training(data: string, { seed, engine, model }: Pick<ChaosOptions, 'seed' | 'engine' | 'model'>, out: string, epochs: number): string[] {
  return [
    '--data', data, '--out', out, ...model, '--batch', String(BATCH), '--lanes', String(LANES),
    '--epochs', String(epochs), '--seed', String(seed), '--engine', engine,
  ]
}

/**
 * Trains once undisturbed, in one process; then again on a cluster, under faults, and compares the two. Writes chaos.json
 * and programs.log, the output of all programs, into the disturbed run's folder.
 * @throws RunError if a program fails by itself.
 */
export async function runChaos(options: ChaosOptions, data: string): Promise<ChaosReport> {
  const { seed, out, epochs, environment, say } = options
  const undisturbed = path.join(out, 'undisturbed')
  const disturbed = path.join(out, 'disturbed')
  say(`${epochs} epochs undisturbed, in one process ...`)
  const begin = performance.now()
  const ended = await new Program('coordinator', [...training(data, options, undisturbed, epochs), '--single-node'], environment).ended
  if (ended.code !== 0) throw new RunError(`the undisturbed run ended with exit code ${ended.code}:\n${ended.stderr}`)
  const undisturbedSeconds = (performance.now() - begin) / 1000
  say(`${undisturbedSeconds.toFixed(0)} s. The same on ${WORKERS} workers, under faults ...`)

  const faults = await runUnderFaults(options, data, disturbed)
  const [one, other] = await Promise.all([undisturbed, disturbed].map((folder) => RunFolder.open(folder, () => new Date())))
  const [wanted, got] = await Promise.all([one.readSummary(), other.readSummary()])
  const [wantedHistory, gotHistory] = await Promise.all([one.readHistory(), other.readHistory()])
  const config = await other.readConfig()
  const events = await other.readEvents()
  const liars = options.liars.map((kind) => ({ kind, named: namedIn(events, kind) }))
  const { trainImages, testImages } = config
  const report = reportOf(
    {
      seed, epochs, undisturbedSeconds,
      engine: String(knownRecipe(config).engine),
      stepsPerEpoch: Math.ceil(Number(trainImages) / BATCH),
      workers: WORKERS, lanes: LANES, liars,
      blocks: blockCount(new Array<number>(Number(testImages))),
      digest: got.digest,
      differences: [
        ...(got.digest === wanted.digest ? [] : [`digest: ${got.digest}, undisturbed ${wanted.digest}`]),
        ...differences(wantedHistory, gotHistory),
      ],
    },
    timelineOf(events),
    faults,
  )
  await writeFile(path.join(disturbed, 'chaos.json'), `${JSON.stringify(report, null, 2)}\n`)
  return report
}

/** Options of a cluster's coordinator by which no lie gets into the weights. */
function vigilance({ liars }: Pick<ChaosOptions, 'liars'>): string[] {
  return liars.length === 0 ? [] : ['--verify', '100%']
}

async function runUnderFaults(options: ChaosOptions, data: string, out: string): Promise<InjectedFault[]> {
  const { environment, epochs, plans, liars } = options
  const cluster = await ChaosCluster.start({
    coordinator: [...training(data, options, out, epochs), '--silence-limit', String(SILENCE_LIMIT_SECONDS), '--checkpoint-minutes', String(CHECKPOINT_SECONDS / 60), '--step-events', '--shared-memory', options.seed % 2 === 0 ? 'off' : 'auto', ...vigilance(options)],
    data, workers: WORKERS, environment,
  })
  try {
    const injected = Promise.all(plans.map((plan) => inject(cluster, plan)))
    const readEvents = async (): Promise<EventLine[]> => (await RunFolder.open(out, () => new Date())).readEvents()
    const lying = joinLiars(cluster, liars, { data, environment, readEvents })
    // The first failure of the run, of the injection or of the liars is the one to report.
    await Promise.race([cluster.ended(), Promise.all([injected, lying]).then(() => cluster.ended())])
    await lying
    return (await injected).flat().sort((a, b) => a.at - b.at)
  } finally {
    await cluster.close()
    await mkdir(out, { recursive: true })
    await writeFile(path.join(out, 'programs.log'), cluster.log)
  }
}

/** Epochs of the run that measures the cluster's speed, and the last of them that count: in earlier ones images are decoded and V8 compiles. */
const CALM_EPOCHS = 12
const WARM_EPOCHS = 6

/** Measures the seconds of one epoch on the warm cluster, without faults. */
export async function measureEpoch(options: Pick<ChaosOptions, 'seed' | 'engine' | 'model' | 'liars' | 'environment' | 'out'>, data: string): Promise<number> {
  const out = path.join(options.out, 'calm')
  const cluster = await ChaosCluster.start({ coordinator: [...training(data, options, out, CALM_EPOCHS), ...vigilance(options)], data, workers: WORKERS, environment: options.environment })
  try {
    await cluster.ended()
  } finally {
    await cluster.close()
  }
  const times = (await (await RunFolder.open(out, () => new Date())).readEvents()).flatMap(({ event, time }) => (event === 'epoch' ? [Date.parse(time)] : []))
  return (times[CALM_EPOCHS - 1] - times[CALM_EPOCHS - 1 - WARM_EPOCHS]) / 1000 / WARM_EPOCHS
}

/** Differences between two histories, in all fields of history.jsonl that do not depend on a clock or on the number of workers. */
function differences(wanted: readonly HistoryLine[], got: readonly HistoryLine[]): string[] {
  const keys = ['epoch', 'step', 'trainLoss', 'trainAccuracy', 'testLoss', 'testAccuracy', 'images'] as const
  if (got.length !== wanted.length) return [`history.jsonl: ${got.length} epochs, undisturbed ${wanted.length}`]
  return wanted.flatMap((line, index) => keys.flatMap((key) => (Object.is(got[index][key], line[key]) ? [] : [`epoch ${line.epoch}: ${key} is ${got[index][key]}, undisturbed ${line[key]}`])))
}

