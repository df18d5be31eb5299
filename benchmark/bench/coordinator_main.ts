import { createInterface } from 'node:readline'
import type { RunEvent } from '../../coordinator/contract/events.ts'
import { freshState } from '../../shared/optim/optimizer.ts'
import { optimizerOf } from '../../shared/optim/optimizers.ts'
import { startLocalReducers } from '../../coordinator/local/reducers.ts'
import { idsBySplit, openDataset } from '../../shared/data/dataset.ts'
import { defaultTransforms } from '../../shared/data/transforms/transforms.ts'
import type { ImageSource } from '../../shared/data/sources/image_source.ts'
import type { ManifestSource } from '../../shared/data/manifest.ts'
import { Samples } from '../../shared/data/columns/samples.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { cacheFolder } from '../../shared/kit/paths.ts'
import { machineSeconds } from '../../shared/trace/span.ts'
import { Schedule } from '../../shared/lanes/sample_schedule.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import { certificatesOf } from './certificates.ts'
import { clusterOptionsSchema, type Step } from './cluster_options.ts'
import { between, processorTime } from './processor_time.ts'
import { article } from '../../shared/recipe/presets.ts'
import { homeOfWeights, openCluster } from '../../coordinator/open_cluster.ts'
import { Bans } from '../../coordinator/members/bans.ts'

/**
 * A coordinator that takes steps only on demand, so that a benchmark can let other contenders have their turns in between: the cluster,
 * the model and the schedule of a run, without its epochs, checkpoints and pictures. RoundProcess describes its input and output.
 */
const options = clusterOptionsSchema.parse(JSON.parse(process.argv[2]))
const SILENCE_LIMIT_SECONDS = 60
const LEARNING_RATE = 1e-4
const SEED = 0
const TEST_FRACTION = 0.2

/** Makes a data set without files, for workers that need no images. */
function countedOnly(images: number, classes: number): ManifestSource {
  const digest = '0'.repeat(64)
  const name = (index: number): string => String(index).padStart(8, '0')
  return {
    digest, testFraction: TEST_FRACTION, skipped: [],
    classes: Array.from({ length: classes }, (_, index) => name(index)),
    samples: Samples.of(Array.from({ length: images + 1 }, (_, index) => ({ path: `${name(0)}/${name(index)}`, class: 0, sha256: digest, bytes: 1, split: index < images ? 'train' as const : 'test' as const }))),
  }
}

async function openData(): Promise<{ dataset: ManifestSource; source: ImageSource; train: readonly number[]; test: readonly number[] }> {
  if (options.data === undefined) {
    const dataset = countedOnly(64 * options.batch, options.network.classes)
    return { dataset, source: { read: () => Promise.resolve([]) }, ...idsBySplit(dataset.samples) }
  }
  const { dataset, source } = await openDataset(options.data, { testFraction: TEST_FRACTION, cacheFolder: cacheFolder(), warn: () => undefined })
  return { dataset, source, train: dataset.train, test: dataset.test }
}

const { dataset, source, train, test } = await openData()
const { network, engine, precision, batch, lanes, workers, reducers, compress } = options
const layout = layoutOf(network)
const optimizer = optimizerOf(article.optimizer)
const start = { ...freshState(optimizer, layout.size), parameters: initialParameters(layout, SEED, 'he') }
const schedule = new Schedule({ seed: SEED, train, batch, lanes })
const run: RunDescription = { ...article, name: 'bench', network, ...defaultTransforms(network), engine, precision, threads: 1, seed: SEED, batch, lanes, datasetDigest: dataset.digest, compress, compressWeights: compress, trace: false }
const observe = (event: RunEvent): void => {
  if (event.type === 'workerLost') process.stderr.write(`worker ${event.worker} was lost: ${event.reason}\n`)
}
const access = { token: undefined, tls: await certificatesOf(options.certificates, 'coordinator'), maxWorkers: workers }
const settings = {
  listen: `${options.host}:0`, reducers, reducersElsewhere: false, sharedMemory: options.sharedMemory, workers, minWorkers: undefined, localWorkers: undefined, waitForWorkers: undefined, allowMixedNumerics: true,
  silenceLimit: SILENCE_LIMIT_SECONDS, verify: 0,
}
const opening = { run, layout, version: 0, options: settings, observe, onSpan: undefined }
const home = homeOfWeights({ ...opening, optimizer, start })
const { hub } = home
const { cluster, address, localAddress } = await openCluster({ ...opening, home, access, attentiveUntil: 0, precedent: undefined, bans: new Bans(), dataset, frozen: new Float32Array(), source, test, brief: () => undefined })
const processes = hub === undefined ? undefined : startLocalReducers(
  hub, { reducers, listen: '127.0.0.1:0', maxWorkers: workers, insecure: false, verbose: false, logFormat: 'pretty', tlsCa: undefined, tlsCert: undefined, tlsKey: undefined },
  access, localAddress, { warn: (text: string) => void process.stderr.write(`${text}\n`) },
)
await hub?.ready()
let at = { epoch: 1, stepInEpoch: 0, step: 0 }

async function round(steps: number): Promise<Step> {
  const before = processorTime()
  const begin = machineSeconds()
  for (let step = 0; step < steps; step++) {
    await cluster.trainStep(at, { samples: schedule.batch(at.epoch, at.stepInEpoch).length, update: at.step + 1, rate: LEARNING_RATE })
    at = schedule.next(at)
  }
  const seconds = (machineSeconds() - begin) / steps
  return { seconds, ...between(before, processorTime(), steps) }
}

function tell(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

tell({ address })
await cluster.gathered()
// Two epochs warm up: the graph is optimised, all images are decoded and kept.
tell(await round(options.data === undefined ? 2 * options.steps : 2 * schedule.stepsPerEpoch))
const rounds = createInterface(process.stdin)[Symbol.asyncIterator]()
while ((await rounds.next()).done !== true) tell(await round(options.steps))
await cluster.close({ finished: true, reason: 'the benchmark is over' })
await processes?.close()
