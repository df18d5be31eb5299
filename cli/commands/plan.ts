import path from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { choice, flag, optionalWhole, text, whole, type OptionSpec, type OptionValues } from '../../shared/command/options.ts'
import { messageOf, UsageError, WriteError } from '../../shared/kit/errors.ts'
import { figure } from '../../shared/kit/figure.ts'
import { gradientFlops } from '../../shared/model/flops.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { buildNetwork, modelNames } from '../../shared/model/models.ts'
import type { Network as Model } from '../../shared/model/network.ts'
import { renderPng } from '../../shared/pictures/write_picture.ts'
import { scalingPlot } from '../../shared/pictures/scaling.ts'
import { adviceFor, curveOf, enoughWorkers, type Advice, shrinkOf } from '../plan/advice.ts'
import { compressions } from '../../shared/compress/format.ts'
import { readMeasured, SHIPPED_MEASURED, type Costs, type Measured } from '../plan/costs.ts'
import { predict, type Cluster, type Prediction } from '../plan/speed_model.ts'
import { parseBandwidth, parseDuration } from '../plan/units.ts'
import { commandOf } from '../command.ts'
import { counted, percent, print, printJson, tableOf } from '../output.ts'

const BANDWIDTH = { placeholder: '<bandwidth>', expects: 'a bandwidth in bits or bytes a second, above 0, e.g. 25Gbit, 100Mbit or 1.25GB' }
const bandwidthSchema = z.string().refine((value) => parseBandwidth(value) !== undefined)
const network: OptionSpec<string> = { ...BANDWIDTH, description: "Bandwidth of each worker's link, each way: 25Gbit, 100Mbit, 3GB.", schema: bandwidthSchema, fallback: '10Gbit' }
const coordinatorNetwork: OptionSpec<string | undefined> = { ...BANDWIDTH, description: "Bandwidth of the coordinator's link, and of each reducer's (default: that of --network).", schema: bandwidthSchema.optional(), fallback: undefined }
const latency: OptionSpec<string> = {
  placeholder: '<time>', description: 'From a worker to the coordinator, one way: 0.1ms, 50us.', expects: 'a time with its unit, e.g. 0.1ms, 50us or 0s',
  schema: z.string().refine((value) => parseDuration(value) !== undefined), fallback: '0.1ms',
}
const imagesPerSecond: OptionSpec<number | undefined> = {
  placeholder: '<rate>', description: 'What one worker computes by itself, e.g. a GPU (default: as measured, by the floating-point operations of the network).', expects: 'a number above 0',
  schema: z.union([z.number(), z.string().trim().min(1).transform(Number)]).pipe(z.number().positive()).optional(), fallback: undefined,
}

const options = {
  workers: whole('<count>', 'Workers, each on a machine or GPU of its own.', { min: 1, max: 4096 }, 4),
  network, coordinatorNetwork, latency,
  batch: whole('<images>', 'Images in a global batch.', { min: 1 }, 64),
  lanes: whole('<count>', 'Slices of a batch that are dealt to workers.', { min: 1, max: 4096 }, 8),
  model: choice('Network to train.', modelNames, 'article'),
  imageSize: whole('<pixels>', 'Height and width that images are brought to.', { min: 1, max: 4096 }, 256),
  classes: whole('<count>', 'Classes of the data set.', { min: 2 }, 10),
  compress: choice('How gradients travel.', compressions, 'none'),
  compressWeights: choice('How weights travel.', compressions, 'none'),
  reducers: whole('<count>', 'Processes on machines of their own among which the vector is divided.', { min: 1, max: 64 }, 1),
  imagesPerSecond,
  sharedCores: optionalWhole('<count>', 'Everything runs on one machine with so many cores.', { min: 1, max: 4096 }),
  measured: text('<file>', "Costs that `npm run bench -- --only costs --plan FILE` has measured (default: those of the machine that Herd is developed on)."),
  json: flag('Print one JSON object, for machines.'),
  plot: text('<file>', 'Draw images/s and efficiency from one worker to --workers: FILE.svg or FILE.png.'),
} as const

interface Plan {
  cluster: Cluster
  costs: Costs
  prediction: Prediction
  enough: number
  advice: Advice[]
}

/** `herd plan`: predicts the speed of a cluster that need not exist yet. */
export const planCommand = (): Command =>
  commandOf({
    name: 'plan',
    options,
    examples: ['herd plan --workers 64 --network 25Gbit', 'herd plan --workers 8 --network 1Gbit --latency 0.3ms --lanes 16 --plot plan.svg', 'herd plan --workers 8 --network 25Gbit --images-per-second 2000 --batch 1024 --compress bf16 --compress-weights bf16 --json'],
    async run(given) {
      const { batch, lanes } = given
      if (lanes > batch) throw new UsageError(`--lanes ${lanes}: expected at most as many as images in a batch, ${batch}: a lane without images is no work.`)
      if (given.plot !== undefined && !['.svg', '.png'].includes(path.extname(given.plot))) throw new UsageError(`--plot ${given.plot}: expected a file name that ends in .svg or .png.`)
      const measured = await readMeasured(given.measured ?? SHIPPED_MEASURED)
      const model = buildNetwork(given.model, { imageSize: given.imageSize, classes: given.classes })
      const cluster = clusterOf(given, model)
      const { costs } = measured
      const plan: Plan = { cluster, costs, prediction: predict(costs, cluster), enough: enoughWorkers(costs, cluster), advice: adviceFor(costs, cluster) }
      if (given.plot !== undefined) await draw(given.plot, plan)
      if (given.json) printJson({ ...plan, measured })
      else for (const line of linesOf(plan, measured)) print(line)
      return true
    },
  })

function clusterOf({ workers, batch, lanes, reducers, compress, compressWeights, imageSize, ...given }: OptionValues<typeof options>, model: Model): Cluster {
  const worker = parseBandwidth(given.network) ?? 0
  return {
    workers, batch, lanes, reducers, floats: layoutOf(model).size, flopsPerImage: gradientFlops(model), pixels: imageSize ** 2,
    network: { worker, coordinator: parseBandwidth(given.coordinatorNetwork ?? '') ?? worker, latency: parseDuration(given.latency) ?? 0 },
    shrink: { up: shrinkOf(compress), down: shrinkOf(compressWeights) },
    ...(given.imagesPerSecond === undefined ? {} : { imagesPerSecond: given.imagesPerSecond }), ...(given.sharedCores === undefined ? {} : { sharedCores: given.sharedCores }),
  }
}

function linesOf({ cluster, prediction, enough, advice }: Plan, { machine, time }: Measured): string[] {
  const { workers, batch, lanes } = cluster
  const { compute, input, exchange, latency, step, busiestLanes, stepsPerSecond, imagesPerSecond, efficiency } = prediction
  const table = tableOf([
    ['', 'time', 'share'],
    ...Object.entries({ compute, input, exchange, latency, 'a step': step }).map(([name, seconds]) => [name, milliseconds(seconds), percent(seconds / step)]),
  ])
  return [
    `${counted(workers, 'worker')}, batch ${batch} in ${counted(lanes, 'lane')}: ${figure(stepsPerSecond)} steps/s, ${figure(imagesPerSecond)} images/s, ${percent(efficiency)} of ${workers} times one worker`,
    '',
    ...table,
    '',
    `limit: ${limitOf(prediction)}; the busiest worker has ${counted(busiestLanes, 'lane')} of ${lanes}`,
    `workers: ${workers > lanes ? `${workers - lanes} of ${workers} have nothing to do, since there are ${lanes} lanes; ` : ''}more than ${enough} are less than 5 % faster`,
    ...advice.slice(0, 3).map(({ what, imagesPerSecond: then, gain }) => `advice: ${what}: ${figure(then)} images/s, ${gain.toFixed(2)} times as fast`),
    `costs measured ${time.slice(0, 10)} on ${machine.processor}, ${counted(machine.cores, 'core')}`,
  ]
}

function limitOf({ bound, longestStage }: Prediction): string {
  return bound === 'exchange' ? `the exchange, longest of it ${longestStage}` : bound
}

function milliseconds(seconds: number): string {
  return `${figure(seconds * 1000)} ms`
}

async function draw(file: string, { cluster, costs }: Plan): Promise<void> {
  const curve = curveOf(costs, cluster, cluster.workers)
  const svg = scalingPlot({
    heading: 'Predicted speed',
    note: `batch ${cluster.batch} in ${counted(cluster.lanes, 'lane')}`,
    unit: 'images/s',
    curves: [
      { name: 'images/s', points: curve.map(({ workers, prediction }) => ({ workers, value: prediction.imagesPerSecond })) },
      { name: 'efficiency', share: true, points: curve.map(({ workers, prediction }) => ({ workers, value: prediction.efficiency })) },
    ],
  })
  try {
    await writeAtomically(file, [path.extname(file) === '.svg' ? svg : await renderPng(svg)])
  } catch (error) {
    throw new WriteError(`--plot ${file} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}
