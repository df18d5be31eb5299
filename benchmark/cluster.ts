import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { ComputeProcess } from '../shared/compute/compute_process.ts'
import { initialParameters } from '../shared/model/initial.ts'
import { layoutOf } from '../shared/model/layout.ts'
import { articleNetwork } from '../shared/model/article.ts'
import { drawDataset } from '../cli/draw/dataset.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../shared/kit/node_process.ts'
import { historyLineSchema } from '../shared/run_folder/schemas.ts'
import { ROOT } from '../shared/kit/project.ts'

/**
 * Whole runs (data, exchange, Adam, checkpoints) of the article's network with one and with two local workers, in turn:
 * node bin/run.mjs benchmark/cluster.ts [rounds] [precision] [batch] [image size]
 * Prints images a second of training, and the ratio of each round; beside it that of the compute processes alone, side by
 * side without data or exchange, which is what the machine's cores make of two at that time.
 */
const [rounds = 3, precision = 'f32', batch = 64, imageSize = 256] = z
  .tuple([z.coerce.number().int().min(1).optional(), z.enum(['f32', 'bf16']).optional(), z.coerce.number().int().optional(), z.coerce.number().int().optional()])
  .parse([...process.argv.slice(2), ...new Array<undefined>(4)].slice(0, 4))
/** The first epochs warm up: TensorFlow optimises the graph, V8 compiles, workers fill their memory with decoded images. */
const EPOCHS = 6
const MEASURED_EPOCHS = 2
const PER_CLASS = 25

const COORDINATOR = path.join(ROOT, 'bin/coordinator.mjs')

async function imagesPerSecond(folder: string, data: string, workers: number, round: number): Promise<number> {
  const out = path.join(folder, `${workers}-${round}`)
  const options = ['--data', data, '--out', out, '--local-workers', String(workers), '--listen', '127.0.0.1:0', '--epochs', String(EPOCHS), '--batch', String(batch), '--image-size', String(imageSize), '--precision', precision, '--test-fraction', '0.1', '--quiet']
  const child = spawn(process.execPath, [...NODE_OPTIONS, COORDINATOR, ...options], { stdio: 'inherit', env: { ...process.env, ...NODE_ENVIRONMENT } })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`the run ended with exit code ${String(code)}`)
  const lines = (await readFile(path.join(out, 'history.jsonl'), 'utf8')).trim().split('\n')
  const warm = lines.slice(-MEASURED_EPOCHS).map((line) => historyLineSchema.parse(JSON.parse(line)))
  return warm.reduce((sum, line) => sum + line.images, 0) / warm.reduce((sum, line) => sum + line.seconds, 0)
}

const LANE = 8
const WARM_UP_LANES = 4
const ALONE_SECONDS = 6

/** Images a second of so many compute processes together, that do nothing but compute lanes. */
async function alone(count: number): Promise<number> {
  const network = articleNetwork({ imageSize, classes: 10 })
  const computes = await Promise.all(Array.from({ length: count }, () => ComputeProcess.start(network, { seed: 0, compress: 'none' }, { engine: 'native', precision, threads: 1, gpu: undefined })))
  const images = new Uint8Array(LANE * imageSize * imageSize * 3)
  const numbers = Array.from({ length: LANE }, (_, index) => index)
  const lane = async (compute: ComputeProcess): Promise<void> => {
    await compute.push({ lane: 0, step: 0, samples: numbers, labels: numbers, images }, 0)
    await compute.take()
  }
  for (const compute of computes) compute.setParameters(initialParameters(layoutOf(network), 0, 'pytorch'))
  await Promise.all(computes.map(async (compute) => {
    for (let warm = 0; warm < WARM_UP_LANES; warm++) await lane(compute)
  }))
  const begin = performance.now()
  const seconds = (): number => (performance.now() - begin) / 1000
  const rates = await Promise.all(computes.map(async (compute) => {
    let lanes = 0
    for (; seconds() < ALONE_SECONDS; lanes++) await lane(compute)
    return (lanes * LANE) / seconds()
  }))
  await Promise.all(computes.map((compute) => compute.close()))
  return rates.reduce((sum, rate) => sum + rate, 0)
}

function describe(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  return `median ${sorted[Math.floor(sorted.length / 2)].toFixed(2)}  (${sorted[0].toFixed(2)} to ${sorted[sorted.length - 1].toFixed(2)})`
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-benchmark-'))
try {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'data'), perClass: PER_CLASS, seed: 1, onProgress: () => undefined })
  const speeds = new Map<number, number[]>([[1, []], [2, []]])
  const machine: number[] = []
  for (let round = 0; round < rounds; round++) {
    for (const [workers, measured] of speeds) measured.push(await imagesPerSecond(folder, data, workers, round))
    const [single, pair] = [await alone(1), await alone(2)]
    machine.push(pair / single)
  }
  const [one = [], two = []] = speeds.values()
  process.stdout.write(`article, ${imageSize} px, ${precision}, batch ${batch}, ${rounds} rounds, images/s\n`)
  process.stdout.write(`one worker    ${describe(one)}\ntwo workers   ${describe(two)}\nratio         ${describe(two.map((speed, round) => speed / one[round]))}\nengines alone ${describe(machine)}\n`)
} finally {
  await rm(folder, { recursive: true, force: true })
}
