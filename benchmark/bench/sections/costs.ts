import { ComputeProcess } from '../../../shared/compute/compute_process.ts'
import type { DecodedImage } from '../../../shared/data/transforms/decode.ts'
import { augment } from '../../../shared/data/transforms/apply.ts'
import { defaultAugmentation } from '../../../shared/data/transforms/transforms.ts'
import { articleNetwork } from '../../../shared/model/article.ts'
import { gradientFlops } from '../../../shared/model/flops.ts'
import { initialParameters } from '../../../shared/model/initial.ts'
import { layoutOf } from '../../../shared/model/layout.ts'
import type { Measured } from '../../../cli/plan/costs.ts'
import { fitCosts, type ComputeMeasurement, type ExchangeMeasurement } from '../../../cli/plan/fit.ts'
import { KeyedRandom, Purpose } from '../../../shared/random/philox.ts'
import type { Machine } from '../../../shared/kit/machine.ts'
import { alternate, type Contender } from '../contender.ts'
import type { BenchSettings, Section } from '../section.ts'
import { median } from '../statistics.ts'
import { ARTICLE_UNITS, floatsOf, lanesOf, startStillCluster, STILL_STEPS } from '../still_cluster.ts'

const CLASSES = 10
/** Numbers of lanes, and of images in each, that tell a lane's cost from an image's, and both from a step's. */
const SHAPES = [[1, 1], [1, 4], [1, 12], [4, 1], [4, 3]] as const
/** Lanes and images of each that are computed on all cores at once. */
const CROWD_SHAPE = [1, 4] as const
/** Numbers of workers. With an odd one there are more partial sums than workers, which tells the costs of the two apart. */
const WORLDS = [1, 2, 3, 4, 8]
/** Units whose vectors have the article's size and a quarter of it, which tells the cost of bytes from that of messages. */
const UNITS = [ARTICLE_UNITS, ARTICLE_UNITS / 2]
/** Number of still workers up to which each has a process of its own; a larger number shares processes, so many in each. */
const OWN_PROCESSES = 4
const TRANSFORMS = 50
/** Image of the usual size in Animals-10, in pixels. */
const PHOTOGRAPH = { width: 300, height: 225 }

export interface CostsMeasured {
  section: Section
  measured: Measured
}

/** Measures and fits the costs with which the model of a cluster computes (docs/plan.md). */
export async function measureCosts(settings: BenchSettings, machine: Machine): Promise<CostsMeasured> {
  const { imageSize, rounds, log } = settings
  const computes = await measureCompute(settings, machine.cores)
  const exchange = await measureExchange(rounds, log)
  const inputPixel = measureInput(imageSize, rounds) / imageSize ** 2
  const flopsPerImage = gradientFlops(articleNetwork({ imageSize, classes: CLASSES }))
  const { costs, differences } = fitCosts({ compute: computes.compute, crowded: computes.crowded, flopsPerImage, inputPixel, exchange: exchange.medians, cores: machine.cores })
  const residuals = differences.map(({ what, values }) => {
    const amounts = values.map(Math.abs)
    return { what, measurements: amounts.length, median: median(amounts), most: Math.max(...amounts) }
  })
  return {
    section: {
      title: 'What a step is made of',
      about: `Costs for \`herd plan\`, fitted to one compute process (f32, the article's network at ${imageSize} px) and to workers that compute nothing, on this machine; the two are shown, and how far they lie from what the costs make of them.`,
      unit: 'ms', more: false,
      baseline: computes.rounds[0].name,
      measures: [...computes.rounds, ...exchange.rounds],
      derived: [
        ...differences.map(({ what, values }) => ({ name: `${what}, measured against fitted`, unit: 'relative difference', values: values.map(Math.abs) })),
        { name: 'compute with all cores busy, over one alone', unit: 'times', values: [costs.compute.crowded] },
        { name: 'what does not overlap', unit: 'of the shorter parts', values: [costs.unhidden] },
      ],
      notes: [],
    },
    measured: {
      time: new Date().toISOString(), machine,
      about: `One compute process, float32, the article's network at ${imageSize} px; up to ${Math.max(...WORLDS)} still workers and their coordinator on this machine; ${rounds} rounds, medians.`,
      costs, residuals,
    },
  }
}

/** Measures, in turns, one compute process with each shape, as many processes side by side as there are cores, and one of these alone. */
async function measureCompute({ imageSize, rounds, log }: BenchSettings, cores: number): Promise<{ compute: ComputeMeasurement[]; crowded: number; rounds: Section['measures'] }> {
  const engines = await Promise.all(Array.from({ length: cores }, () => startEngine(imageSize)))
  try {
    const shapes = SHAPES.map(([lanes, images]) => () => engineContender(shapeName(lanes, images), () => engines[0].seconds(lanes, images)))
    const together = async (): Promise<number> => median(await Promise.all(engines.map((engine) => engine.seconds(...CROWD_SHAPE))))
    const crowd = [() => engineContender(TOGETHER, together), () => engineContender(ALONE, () => engines[0].seconds(...CROWD_SHAPE))]
    const values = await alternate([...shapes, ...crowd], rounds, (line) => log(`compute: ${line}`))
    const of = (name: string): number[] => values.get(name) ?? []
    return {
      rounds: inMilliseconds(values),
      compute: SHAPES.map(([lanes, imagesPerLane]) => ({ lanes, imagesPerLane, seconds: median(of(shapeName(lanes, imagesPerLane))) })),
      crowded: Math.max(1, median(of(TOGETHER).map((seconds, round) => seconds / of(ALONE)[round]))),
    }
  } finally {
    await Promise.all(engines.map((engine) => engine.close()))
  }
}

const TOGETHER = 'as many at once as cores'
const ALONE = 'as many, one alone'

function shapeName(lanes: number, images: number): string {
  return `compute: ${lanes} lane${lanes === 1 ? '' : 's'} of ${images}`
}

interface Engine {
  seconds(lanes: number, images: number): Promise<number>
  close(): Promise<void>
}

async function startEngine(imageSize: number): Promise<Engine> {
  const network = articleNetwork({ imageSize, classes: CLASSES })
  const compute = await ComputeProcess.start(network, { seed: 0, compress: 'none' }, { engine: 'native', precision: 'f32', threads: 1, numerics: 'native', gpu: undefined })
  const parameters = initialParameters(layoutOf(network), 0, 'pytorch')
  const pixels = imageSize * imageSize * 3
  const random = new KeyedRandom(0, Purpose.draw)
  const all = Uint8Array.from({ length: Math.max(...SHAPES.map(([, images]) => images)) * pixels }, () => random.below(256))
  const seconds = async (lanes: number, images: number): Promise<number> => {
    const samples = Array.from({ length: images }, (_, index) => index)
    const begin = performance.now()
    compute.setParameters(parameters)
    for (let lane = 0; lane < lanes; lane++) {
      await compute.push({ lane, step: 0, samples, labels: samples.map((index) => index % CLASSES), images: all.slice(0, images * pixels) }, 0)
      if (lane > 0) compute.add(0)
    }
    await compute.take()
    return (performance.now() - begin) / 1000
  }
  for (const [lanes, images] of SHAPES) await seconds(lanes, images)
  return { seconds, close: () => compute.close() }
}

/** A contender that does not close the engines that it uses: measureCompute, which started them, does. */
function engineContender(name: string, round: () => Promise<number>): Promise<Contender> {
  return Promise.resolve({ name, round, close: () => Promise.resolve() })
}

/** Measures steps of one to many still workers, with two sizes of the vector. */
async function measureExchange(rounds: number, log: (line: string) => void): Promise<{ medians: ExchangeMeasurement[]; rounds: Section['measures'] }> {
  const told = UNITS.flatMap((units) => WORLDS.map((workers) => ({ units, workers, steps: [] as ExchangeMeasurement[] })))
  const starts = told.map(({ units, workers, steps }) => async (): Promise<Contender> => {
    const cluster = await startStillCluster({ workers, workersPerProcess: workers <= OWN_PROCESSES ? 1 : OWN_PROCESSES, units })
    const round = async (): Promise<number> => {
      const { seconds, cpuSeconds, threadSeconds, workers: allWorkers } = await cluster.roundWithWorkers(STILL_STEPS)
      steps.push({ workers, lanes: lanesOf(workers), floats: floatsOf(units), seconds, coordinator: { cpuSeconds, threadSeconds }, allWorkers })
      return seconds
    }
    return { name: `exchange: ${workers} worker${workers === 1 ? '' : 's'}, ${(floatsOf(units) * 4 / 1e6).toFixed(1)} MB`, round, close: () => cluster.close() }
  })
  const values = await alternate(starts, rounds, (line) => log(`exchange: ${line}`))
  return { medians: told.map(({ steps }) => medianOf(steps)), rounds: inMilliseconds(values) }
}

function inMilliseconds(seconds: ReadonlyMap<string, number[]>): Section['measures'] {
  return [...seconds].map(([name, values]) => ({ name, values: values.map((value) => value * 1000) }))
}

/** The median of each figure over the rounds of one cluster. */
function medianOf(rounds: readonly ExchangeMeasurement[]): ExchangeMeasurement {
  const of = (value: (one: ExchangeMeasurement) => number): number => median(rounds.map(value))
  const [{ workers, lanes, floats }] = rounds
  return {
    workers, lanes, floats, seconds: of(({ seconds }) => seconds),
    coordinator: { threadSeconds: of(({ coordinator }) => coordinator.threadSeconds), cpuSeconds: of(({ coordinator }) => coordinator.cpuSeconds) },
    allWorkers: { threadSeconds: of(({ allWorkers }) => allWorkers.threadSeconds), cpuSeconds: of(({ allWorkers }) => allWorkers.cpuSeconds) },
  }
}

/** Seconds to transform one decoded image as for training, median of the rounds. */
function measureInput(imageSize: number, rounds: number): number {
  const random = new KeyedRandom(0, Purpose.draw)
  const image: DecodedImage = { ...PHOTOGRAPH, data: Uint8Array.from({ length: PHOTOGRAPH.width * PHOTOGRAPH.height * 3 }, () => random.below(256)) }
  const out = new Uint8Array(imageSize * imageSize * 3)
  const seconds = Array.from({ length: rounds + 1 }, (_, round) => {
    const begin = performance.now()
    for (let index = 0; index < TRANSFORMS; index++) augment(image, imageSize, defaultAugmentation, { seed: 0, epoch: round, sample: index }, out, 0)
    return (performance.now() - begin) / 1000 / TRANSFORMS
  })
  // The first round does not count, since V8 compiles in it.
  return median(seconds.slice(1))
}
