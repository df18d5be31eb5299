import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { drawDataset } from '../../cli/draw/dataset.ts'
import { saveCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { buildNetwork } from '../../shared/model/models.ts'
import { childrenOf } from '../bench/child_processes.ts'
import { quantile } from '../bench/statistics.ts'

/**
 * Measures `herd serve` with the article's network, and drawn photographs of 8 kB, from a client on the same machine:
 * node bin/run.mjs benchmark/single/serve.ts [requests/s] [seconds] [image size] [threads] [engine]
 * Requests come at even distances, whether or not those before have been answered; 0 requests/s: 32 clients, each of which asks again as soon as it has an answer.
 * Prints what was answered and how fast, the mean batch, and what the engine and the server's own process did meanwhile, as shares of a core.
 */
const [rate = 200, seconds = 20, imageSize = 160, threads = 1, engine = 'native'] = z
  .tuple([z.coerce.number().min(0).optional(), z.coerce.number().min(1).optional(), z.coerce.number().int().optional(), z.coerce.number().int().optional(), z.enum(['native', 'wasm']).optional()])
  .parse([...process.argv.slice(2), ...new Array<undefined>(5)].slice(0, 5))
const CLIENTS = 32
/** Seconds of the same load before the measurement. */
const WARM_UP = 3
/** Unit of processor time in Linux's /proc. */
const TICKS_PER_SECOND = 100

interface Answered {
  code: number
  milliseconds: number
}

const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity })

/** Asks once. Code 0: no answer came. */
function ask(port: number, image: Buffer): Promise<Answered> {
  const begun = performance.now()
  return new Promise((resolve) => {
    const end = (code: number): void => resolve({ code, milliseconds: performance.now() - begun })
    const request = http.request({ host: '127.0.0.1', port, path: '/v1/classify', method: 'POST', agent, headers: { 'content-type': 'image/jpeg', 'content-length': image.length } }, (response) => {
      response.resume().once('end', () => end(response.statusCode ?? 0))
    })
    request.once('error', () => end(0))
    request.end(image)
  })
}

/** Lays the load on a server for some seconds. */
async function load(port: number, images: readonly Buffer[], forSeconds: number): Promise<Answered[]> {
  const begun = performance.now()
  const isOver = (): boolean => performance.now() - begun >= forSeconds * 1000
  const answers: Promise<Answered>[] = []
  const next = (): Promise<Answered> => {
    const answer = ask(port, images[answers.length % images.length])
    answers.push(answer)
    return answer
  }
  if (rate === 0) await Promise.all(Array.from({ length: CLIENTS }, async () => { while (!isOver()) await next() }))
  while (rate > 0 && !isOver()) {
    while (answers.length < ((performance.now() - begun) / 1000) * rate) void next()
    await delay(1)
  }
  return Promise.all(answers)
}

async function metricsOf(port: number): Promise<(name: string) => number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** Processor time of a process with all its threads, in seconds, by Linux's proc(5). */
async function processorSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

async function measure(port: number, computePid: number, images: readonly Buffer[]): Promise<void> {
  await load(port, images, WARM_UP)
  const computedBefore = await processorSeconds(computePid)
  const before = await metricsOf(port)
  const begun = performance.now()
  const answers = await load(port, images, seconds)
  const elapsed = (performance.now() - begun) / 1000
  const after = await metricsOf(port)
  const computed = (await processorSeconds(computePid)) - computedBefore
  const count = after('herd_serve_batch_images_sum') - before('herd_serve_batch_images_sum')
  const grown = (name: string): number => after(name) - before(name)
  const good = answers.filter(({ code }) => code === 200).map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  const others = new Map<number, number>()
  for (const { code } of answers) if (code !== 200) others.set(code, (others.get(code) ?? 0) + 1)
  const lines = [
    `${rate === 0 ? `${CLIENTS} clients` : `${rate} requests/s`}, ${seconds} s, article, ${imageSize} px, ${engine}, ${threads} thread(s), ${os.cpus().length} cores of ${os.cpus()[0].model}`,
    `answered: ${(good.length / elapsed).toFixed(1)}/s of ${(answers.length / elapsed).toFixed(1)}/s asked${[...others].map(([code, count]) => `; ${code}: ${count}`).join('')}`,
    `time: median ${quantile(good, 0.5).toFixed(1)} ms, 95 % ${quantile(good, 0.95).toFixed(1)} ms, 99 % ${quantile(good, 0.99).toFixed(1)} ms`,
    `batches: ${(count / grown('herd_serve_batch_images_count')).toFixed(1)} images; one is at the engine ${((grown('herd_serve_compute_seconds_total') / elapsed) * 100).toFixed(0)} % of the time`,
    `processor time of the compute process: ${((computed / count) * 1000).toFixed(2)} ms an image, ${((computed / elapsed) * 100).toFixed(0)} % of a core`,
    `processor time of the server's own process: ${((grown('process_cpu_seconds_total') / count) * 1000).toFixed(2)} ms an image, ${((grown('process_cpu_seconds_total') / elapsed) * 100).toFixed(0)} % of a core; memory ${(after('process_resident_memory_bytes') / 1e6).toFixed(0)} MB`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

async function makeCheckpoint(file: string, classes: string[]): Promise<void> {
  const network = buildNetwork('article', { imageSize, classes: classes.length })
  const layout = layoutOf(network)
  const position = { epoch: 1, step: 1, stepInEpoch: 1, skippedSteps: 0, epochSkippedSteps: 0, epochLossSum: 1, epochCorrect: 0, epochImages: 1, epochSeconds: 1, images: 1, seconds: 1 }
  await saveCheckpoint(file, {
    network, classes, config: { precision: 'f32', threads }, position, datasetDigest: '0'.repeat(64), optimizer: { name: 'sgd', moments: ['momentum'] },
    parameters: initialParameters(layout, 0), moments: [new Float32Array(layout.size)],
  })
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-serve-'))
try {
  const { folder: drawn } = await drawDataset({ out: path.join(folder, 'drawn'), perClass: 8, seed: 0, onProgress: () => undefined })
  const files = (await readdir(drawn, { recursive: true })).filter((name) => name.endsWith('.jpeg')).sort()
  const images = await Promise.all(files.map((name) => readFile(path.join(drawn, name))))
  const checkpoint = path.join(folder, 'article.ckpt')
  await makeCheckpoint(checkpoint, [...new Set(files.map((name) => path.dirname(name)))])
  const server = spawn(process.execPath, [...NODE_OPTIONS, path.join(ROOT, 'bin/herd.mjs'), 'serve', '--checkpoint', checkpoint, '--engine', engine, '--threads', String(threads), '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...NODE_ENVIRONMENT } })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  try {
    for await (const line of createInterface({ input: server.stdout })) {
      const [, port] = /:(\d+)\/$/.exec(line) ?? []
      if (port === undefined) continue
      const [computePid] = await childrenOf(server.pid)
      await measure(Number(port), computePid, images)
      break
    }
  } finally {
    agent.destroy()
    server.kill('SIGTERM')
    await ended
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
