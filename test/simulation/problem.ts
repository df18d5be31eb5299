import type { Compression } from '../../shared/compress/format.ts'
import { idsBySplit } from '../../shared/data/dataset.ts'
import { Samples, type Sample } from '../../shared/data/columns/samples.ts'
import { DecodedCache } from '../../shared/data/caches/decoded_cache.ts'
import type { DecodedImage } from '../../shared/data/transforms/decode.ts'
import { copyParts, type ManifestPart } from '../../shared/data/manifest.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf, type Layout } from '../../shared/model/layout.ts'
import { networkSchema } from '../../shared/model/network.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { Schedule } from '../../shared/lanes/sample_schedule.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import { freshState, type Optimizer } from '../../shared/optim/optimizer.ts'
import { defaultOptimizer, optimizerOf, optimizerSchema, type OptimizerOptions } from '../../shared/optim/optimizers.ts'
import { Model } from '../../shared/optim/stepped_weights.ts'
import { article } from '../../shared/recipe/presets.ts'
import { defaultTransforms } from '../../shared/data/transforms/transforms.ts'

/** A small training: data, network and options, but nothing about the cluster. */
export interface Problem {
  name: string
  run: RunDescription
  layout: Layout
  classes: string[]
  samples: Samples
  test: readonly number[]
  /** What a worker with images of its own is told of the data set. */
  manifest: readonly ManifestPart[]
  decoded: DecodedCache
  schedule: Schedule
  epochs: number
  optimizer: Optimizer
  learningRate: number
  /** Floats of one chunk on the wire. */
  chunkFloats: number
  /** An image whose first byte is at least this makes a gradient that is not finite: its step is left out. */
  overflowFrom: number
}

interface Shape {
  batch: number
  lanes: number
  epochs: number
  train: number
  test: number
  chunkFloats: number
  overflowFrom?: number
  compress?: Compression
  compressWeights?: Compression
  optimizer?: OptimizerOptions
  clip?: number
}

const IMAGE_SIZE = 4
const SOURCE_SIZE = 6
const CLASSES = ['cat', 'dog', 'hen']
const DATASET_DIGEST = 'd'.repeat(64)

/** Shapes that cover lanes that are no power of two, short last batches with empty lanes, vectors of one chunk and of several, compressed and not, gradients clipped and not, and steps that are left out. */
const shapes: readonly Shape[] = [
  { batch: 12, lanes: 8, epochs: 3, train: 40, test: 70, chunkFloats: 64, compress: 'int8', compressWeights: 'bf16' },
  { batch: 9, lanes: 4, epochs: 3, train: 30, test: 40, chunkFloats: 1000, compress: 'bf16', compressWeights: 'int8' },
  { batch: 11, lanes: 5, epochs: 2, train: 50, test: 100, chunkFloats: 40, optimizer: optimizerSchema.parse({ name: 'sgd', nesterov: true, weightDecay: 0.01 }), clip: 0.5 },
  { batch: 16, lanes: 16, epochs: 3, train: 35, test: 33, chunkFloats: 100, overflowFrom: 220 },
  { batch: 7, lanes: 3, epochs: 3, train: 29, test: 65, chunkFloats: 50, overflowFrom: 200, optimizer: optimizerSchema.parse({ name: 'adamw' }), clip: 0.25 },
  { batch: 8, lanes: 1, epochs: 2, train: 20, test: 40, chunkFloats: 147 },
]

const network = networkSchema.parse({
  name: 'softmax-regression', imageSize: IMAGE_SIZE, classes: CLASSES.length, mean: [0.5, 0.45, 0.4], std: [0.25, 0.2, 0.3],
  layers: [{ type: 'flatten' }, { type: 'dropout', rate: 0.25 }, { type: 'dense', units: CLASSES.length }],
})

function buildProblem(shape: Shape, index: number): Problem {
  const seed = 100 + index
  const list = Array.from({ length: shape.train + shape.test }, (_, id): Sample => ({
    path: `${CLASSES[id % CLASSES.length]}/${String(id).padStart(4, '0')}.png`, class: id % CLASSES.length,
    sha256: 'a'.repeat(64), bytes: 1, split: id < shape.train ? 'train' : 'test',
  })).sort((a, b) => (a.path < b.path ? -1 : 1))
  const decoded = new DecodedCache(Number.POSITIVE_INFINITY)
  const samples = Samples.of(list)
  list.forEach((sample, id) => decoded.offer(id, drawImage(seed, id, sample.class)))
  const { train, test } = idsBySplit(samples)
  const run: RunDescription = { ...article, ...defaultTransforms(network), name: 'run', network, engine: 'wasm', precision: 'f32', threads: 1, seed, batch: shape.batch, lanes: shape.lanes, datasetDigest: DATASET_DIGEST, compress: shape.compress ?? 'none', compressWeights: shape.compressWeights ?? 'none', optimizer: shape.optimizer ?? defaultOptimizer, clip: shape.clip ?? null, trace: false }
  return {
    name: `${shape.lanes} lanes of ${shape.batch} images`, run, layout: layoutOf(network), classes: CLASSES, samples, test, decoded,
    manifest: [...copyParts({ classes: CLASSES, samples, digest: DATASET_DIGEST, testFraction: 0.5, skipped: [] })],
    schedule: new Schedule({ seed, train, batch: shape.batch, lanes: shape.lanes }),
    epochs: shape.epochs, optimizer: optimizerOf(run.optimizer), learningRate: 0.01, chunkFloats: shape.chunkFloats,
    overflowFrom: shape.overflowFrom ?? Number.POSITIVE_INFINITY,
  }
}

/** Draws noise around a colour that depends on the class, so that there is something to learn. */
function drawImage(seed: number, sample: number, label: number): DecodedImage {
  const random = new KeyedRandom(seed, Purpose.simulation, 0, sample)
  const data = Uint8Array.from({ length: SOURCE_SIZE * SOURCE_SIZE * 3 }, (_, i) => random.below(200) + (i % 3 === label ? 55 : 0))
  return { data, width: SOURCE_SIZE, height: SOURCE_SIZE }
}

export const problems: readonly Problem[] = shapes.map(buildProblem)

/** The model before the first step. */
export function initialModel({ layout, run, optimizer }: Problem): Model {
  return new Model(layout, optimizer, { ...freshState(optimizer, layout.size), parameters: initialParameters(layout, run.seed) })
}
