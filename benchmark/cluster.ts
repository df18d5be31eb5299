import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { drawDataset } from '../shared/data/draw/dataset.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../shared/node_process.ts'
import { historyLineSchema } from '../shared/run_folder/schemas.ts'

/**
 * Whole runs (data, exchange, Adam, checkpoints) of the article's network with one and with two local workers, in turn:
 * node --import tsx benchmark/cluster.ts [rounds] [precision] [batch] [image size]
 * Prints images a second of training, and the ratio of each round.
 */
const [rounds = 3, precision = 'f32', batch = 64, imageSize = 256] = z
  .tuple([z.coerce.number().int().min(1).optional(), z.enum(['f32', 'bf16']).optional(), z.coerce.number().int().optional(), z.coerce.number().int().optional()])
  .parse([...process.argv.slice(2), ...new Array<undefined>(4)].slice(0, 4))
/** The first epochs warm up: TensorFlow optimises the graph, V8 compiles, workers fill their memory with decoded images. */
const EPOCHS = 6
const MEASURED_EPOCHS = 2
const PER_CLASS = 25

const COORDINATOR = path.join(import.meta.dirname, '../bin/coordinator.mjs')

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

function describe(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  return `median ${sorted[Math.floor(sorted.length / 2)].toFixed(2)}  (${sorted[0].toFixed(2)} to ${sorted[sorted.length - 1].toFixed(2)})`
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-benchmark-'))
try {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'data'), perClass: PER_CLASS, seed: 1, onProgress: () => undefined })
  const speeds = new Map<number, number[]>([[1, []], [2, []]])
  for (let round = 0; round < rounds; round++) {
    for (const [workers, measured] of speeds) measured.push(await imagesPerSecond(folder, data, workers, round))
  }
  const [one = [], two = []] = speeds.values()
  process.stdout.write(`article, ${imageSize} px, ${precision}, batch ${batch}, ${rounds} rounds, images/s\n`)
  process.stdout.write(`one worker    ${describe(one)}\ntwo workers   ${describe(two)}\nratio         ${describe(two.map((speed, round) => speed / one[round]))}\n`)
} finally {
  await rm(folder, { recursive: true, force: true })
}
