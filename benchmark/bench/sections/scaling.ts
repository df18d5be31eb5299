import path from 'node:path'
import { drawDataset } from '../../../cli/draw/dataset.ts'
import { figure } from '../../../shared/kit/figure.ts'
import { articleNetwork } from '../../../shared/model/article.ts'
import { gradientFlops } from '../../../shared/model/flops.ts'
import { layoutOf } from '../../../shared/model/layout.ts'
import { scalingPlot, type ScalingMeasured } from '../../../shared/pictures/scaling.ts'
import { writePicture } from '../../../shared/pictures/write_picture.ts'
import type { Costs } from '../../../cli/plan/costs.ts'
import { onLoopback } from '../../../cli/plan/fit.ts'
import { predict, stillExchange, type Cluster } from '../../../cli/plan/speed_model.ts'
import { alternate, type Contender } from '../contender.ts'
import { HerdCluster } from '../herd_cluster.ts'
import type { BenchSettings, Section } from '../section.ts'
import { spreadOf } from '../statistics.ts'
import { floatsOf, lanesOf, startStillCluster } from '../still_cluster.ts'

const CLASSES = 10
const IMAGES_PER_CLASS = 20
const LANES = 8
const STEPS = 2
const REAL_WORLDS = [1, 2, 4]
const STILL_WORLDS = [1, 2, 4, 8, 16]
/** Still workers in one process. */
const PER_PROCESS = 4

export interface ScalingParts {
  costs: Costs
  cores: number
  batch: number
  /** Folder for the pictures scaling.svg and .png, exchange-scaling.svg and .png; undefined to draw none. */
  pictures: string | undefined
}

/** Measures the whole job and the exchange with different numbers of workers on this machine, beside the model's predictions. */
export async function scalingSections(settings: BenchSettings, parts: ScalingParts): Promise<Section[]> {
  const { imageSize } = settings
  const { costs, cores, batch, pictures } = parts
  const network = articleNetwork({ imageSize, classes: CLASSES })
  const job = (workers: number): Cluster => ({
    ...onLoopback({ workers, lanes: LANES, floats: layoutOf(network).size }, cores), batch, flopsPerImage: gradientFlops(network), pixels: imageSize ** 2,
  })
  const jobs = await byWorld(REAL_WORLDS, settings, 'the whole job', async (workers) => {
    const { folder: data } = await drawDataset({ out: path.join(settings.folder, 'images'), perClass: IMAGES_PER_CLASS, seed: 1, onProgress: () => undefined })
    const cluster = await HerdCluster.start({ network, data, engine: 'native', precision: 'f32', batch, lanes: LANES, workers, sharedMemory: 'off', steps: STEPS })
    return cluster.contender(nameOf(workers), ({ seconds }) => batch / seconds)
  })
  const exchanges = await byWorld(STILL_WORLDS, settings, 'the exchange', async (workers) => {
    const cluster = await startStillCluster({ workers, workersPerProcess: PER_PROCESS })
    return cluster.contender(nameOf(workers), ({ seconds }) => seconds * 1000)
  })
  const predictedJob = (workers: number): number => predict(costs, job(workers)).imagesPerSecond
  const predictedExchange = (workers: number): number => stillExchange(costs, onLoopback({ workers, lanes: lanesOf(workers), floats: floatsOf() }, cores)) * 1000
  if (pictures !== undefined) {
    await plot(pictures, 'scaling', 'The whole job', `batch ${batch} in ${LANES} lanes, all workers on ${cores} cores`, 'images/s', jobs, predictedJob)
    await plot(pictures, 'exchange-scaling', 'The exchange', `8.9 MB of gradients of each worker, all on ${cores} cores`, 'ms a step', exchanges, predictedExchange)
  }
  return [
    sectionOf('Scaling: the whole job', `Steps of ${batch} images of ${imageSize} px in ${LANES} lanes, float32, one thread a worker, all workers on the ${cores} cores of this machine.`, 'images/s', jobs, predictedJob),
    sectionOf('Scaling: the exchange', `8.9 MB of gradients of each worker, which computes nothing, all on the ${cores} cores of this machine.`, 'ms a step', exchanges, predictedExchange),
  ]
}

/** One value for each round, by number of workers. */
type ByWorld = ReadonlyMap<number, number[]>

async function byWorld(worlds: readonly number[], { rounds, log }: BenchSettings, what: string, start: (workers: number) => Promise<Contender>): Promise<ByWorld> {
  const values = await alternate(worlds.map((workers) => () => start(workers)), rounds, (line) => log(`scaling, ${what}: ${line}`))
  return new Map(worlds.map((workers) => [workers, values.get(nameOf(workers)) ?? []]))
}

function sectionOf(title: string, about: string, unit: string, measured: ByWorld, predicted: (workers: number) => number): Section {
  const worlds = [...measured]
  return {
    title, about, unit, more: unit === 'images/s',
    baseline: nameOf(worlds[0][0]),
    measures: worlds.map(([workers, values]) => ({ name: nameOf(workers), values })),
    derived: worlds.map(([workers, values]) => ({ name: `${nameOf(workers)}: predicted ${figure(predicted(workers))} ${unit}, over measured`, unit: 'times', values: values.map((value) => predicted(workers) / value) })),
    notes: [],
  }
}

async function plot(folder: string, name: string, heading: string, note: string, unit: string, measured: ByWorld, predicted: (workers: number) => number): Promise<void> {
  const worlds = [...measured]
  const most = Math.max(...worlds.map(([workers]) => workers))
  const points: ScalingMeasured['points'] = worlds.map(([workers, values]) => ({ workers, ...spreadOf(values) }))
  await writePicture(folder, name, scalingPlot({
    heading, note, unit,
    curves: [{ name: 'predicted', points: Array.from({ length: most }, (_, index) => ({ workers: index + 1, value: predicted(index + 1) })) }],
    measured: [{ name: 'measured', points }],
  }))
}

function nameOf(workers: number): string {
  return `${workers} worker${workers === 1 ? '' : 's'}`
}
