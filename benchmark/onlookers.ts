import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { drawDataset } from '../shared/data/draw/dataset.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../shared/node_process.ts'
import { historyLineSchema } from '../shared/run_folder/schemas.ts'

/**
 * What it costs to look: runs of two local workers that nobody looks at, with metrics (of the coordinator and both workers, each
 * scraped every five seconds, as deploy/prometheus has it), with the live page (one page takes all that comes), with a trace, and with
 * all three, in turn:
 * node --import tsx benchmark/onlookers.ts [rounds] [precision] [batch] [image size] [arms, e.g. all]
 * Prints images a second of training, and processor time an image of all processes together, which varies less where a
 * machine is not alone; and the ratio of each round.
 */
const [rounds = 5, precision = 'f32', batch = 64, imageSize = 256, chosen] = z
  .tuple([z.coerce.number().int().min(1).optional(), z.enum(['f32', 'bf16']).optional(), z.coerce.number().int().optional(), z.coerce.number().int().optional(), z.string().optional()])
  .parse([...process.argv.slice(2), ...new Array<undefined>(5)].slice(0, 5))
/** The first epochs warm up: TensorFlow optimises the graph, V8 compiles, workers fill their memory with decoded images. */
const EPOCHS = 6
const MEASURED_EPOCHS = 4
const PER_CLASS = 25
const SCRAPE_MS = 5000
/** Of Linux: what /proc counts processor time in. */
const TICKS_PER_SECOND = 100

/** What there is to look with, as options of the coordinator. */
const EYES = {
  metrics: (_out: string, targets: string) => ['--metrics-port', '0', '--metrics-targets', targets],
  page: () => ['--http-port', '0'],
  trace: (out: string) => ['--trace', `${out}.trace.json`],
}
interface Arm {
  name: string
  eyes: (keyof typeof EYES)[]
}
const arms: Arm[] = [
  { name: 'nobody', eyes: [] },
  { name: 'metrics', eyes: ['metrics'] },
  { name: 'page', eyes: ['page'] },
  { name: 'trace', eyes: ['trace'] },
  { name: 'all', eyes: ['metrics', 'page', 'trace'] },
].filter(({ name }) => chosen === undefined || name === 'nobody' || chosen.split(',').includes(name)) as Arm[]

const COORDINATOR = path.join(import.meta.dirname, '../bin/coordinator.mjs')

interface Measured {
  imagesPerSecond: number
  /** Processor time of all processes, over the whole run. */
  cpuSecondsPerImage: number
}

/** Processor time of all processes that this one has waited for, and they, in seconds. */
async function cpuSecondsOfChildren(): Promise<number> {
  const fields = (await readFile('/proc/self/stat', 'utf8')).replace(/^.*\) /, '').split(' ')
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND
}

/** Looks at a run in every way there is, until it ends. */
function look(said: NodeJS.ReadableStream, targets: string): () => void {
  const scraped = new Set<string>()
  let text = ''
  said.on('data', (data: Buffer) => {
    text += data.toString()
    const metrics = /metrics at (\S+)/.exec(text)?.[1]
    if (metrics !== undefined) scraped.add(metrics)
    const page = /live page at http:\/\/(\S+)\//.exec(text)?.[1]
    if (page === undefined || scraped.has(page)) return
    scraped.add(page)
    new WebSocket(`ws://${page}/live`).on('error', () => undefined).on('message', () => undefined)
  })
  const timer = setInterval(() => {
    const workers = readFile(targets, 'utf8').then((json) => z.array(z.object({ targets: z.array(z.string()) })).parse(JSON.parse(json)).flatMap((group) => group.targets), () => [])
    void workers.then((addresses) => Promise.all([...scraped, ...addresses.map((address) => `http://${address}/metrics`)]
      .filter((url) => url.startsWith('http'))
      .map((url) => fetch(url).then((response) => response.text(), () => ''))))
  }, SCRAPE_MS)
  return () => clearInterval(timer)
}

async function measure(folder: string, data: string, { name, eyes }: Arm, round: number): Promise<Measured> {
  const out = path.join(folder, `${name}-${round}`)
  const targets = `${out}.targets.json`
  const options = ['--data', data, '--out', out, '--local-workers', '2', '--listen', '127.0.0.1:0', '--epochs', String(EPOCHS), '--batch', String(batch), '--image-size', String(imageSize), '--precision', precision, '--test-fraction', '0.1']
  const before = await cpuSecondsOfChildren()
  const child = spawn(process.execPath, [...NODE_OPTIONS, COORDINATOR, ...options, ...eyes.flatMap((eye) => EYES[eye](out, targets))], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...NODE_ENVIRONMENT } })
  const stop = look(child.stderr, targets)
  const code = await new Promise((resolve) => child.once('exit', resolve))
  stop()
  if (code !== 0) throw new Error(`the run ended with exit code ${String(code)}`)
  const lines = (await readFile(path.join(out, 'history.jsonl'), 'utf8')).trim().split('\n').map((line) => historyLineSchema.parse(JSON.parse(line)))
  const warm = lines.slice(-MEASURED_EPOCHS)
  const images = (some: typeof lines): number => some.reduce((sum, line) => sum + line.images, 0)
  return {
    imagesPerSecond: images(warm) / warm.reduce((sum, line) => sum + line.seconds, 0),
    cpuSecondsPerImage: ((await cpuSecondsOfChildren()) - before) / images(lines),
  }
}

function describe(values: number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b)
  return `median ${sorted[Math.floor(sorted.length / 2)].toFixed(digits)}  (${sorted[0].toFixed(digits)} to ${sorted[sorted.length - 1].toFixed(digits)})`
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-benchmark-'))
try {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'data'), perClass: PER_CLASS, seed: 1, onProgress: () => undefined })
  const measured = new Map<string, Measured[]>(arms.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    // Who begins changes from round to round, so that a machine that grows slower or faster favours nobody.
    for (const arm of round % 2 === 0 ? arms : arms.toReversed()) measured.get(arm.name)?.push(await measure(folder, data, arm, round))
  }
  process.stdout.write(`article, ${imageSize} px, ${precision}, batch ${batch}, two local workers, ${rounds} rounds; ratios to the run of the same round that nobody looks at\n`)
  const nobody = measured.get('nobody') ?? []
  for (const [name, ofArm] of measured) {
    const ratio = (value: (one: Measured) => number): string => describe(ofArm.map((one, round) => value(one) / value(nobody[round])), 4)
    process.stdout.write(`${name.padEnd(8)} images/s ${describe(ofArm.map((one) => one.imagesPerSecond), 2)}  ratio ${ratio((one) => one.imagesPerSecond)}  cpu s an image ${describe(ofArm.map((one) => one.cpuSecondsPerImage), 4)}  ratio ${ratio((one) => one.cpuSecondsPerImage)}\n`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
