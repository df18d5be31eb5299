import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { drawDataset } from '../../cli/draw/dataset.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { quantile } from '../bench/statistics.ts'
import { ROOT } from '../../shared/kit/project.ts'

/**
 * Measures what watching a run costs: a run of two local workers that nothing watches, against one with metrics (of the coordinator and
 * both workers, each scraped every five seconds, as deploy/prometheus does), with the live page (one page that takes all messages), with
 * a trace, or with all three:
 * node bin/run.mjs benchmark/single/onlookers.ts [cycles] [precision] [batch] [image size] [all|metrics|page|trace]
 * The speed of a shared machine varies from minute to minute by more than watching costs. So both runs are started, and then take turns
 * of some seconds each: the other run's coordinator is stopped (SIGSTOP), and its workers wait for it. Only the time from step to step
 * within a turn counts. Prints images a second, and their ratio to those of the unwatched run in the same cycle.
 * Then prints processor time, which varies less: per step, of the coordinator and both workers without the compute processes, and of this
 * process, which watches; and the surplus over the unwatched run as a share of the processor time of the whole machine.
 */
const [cycles = 40, precision = 'f32', batch = 32, imageSize = 160, chosen = 'all' as const] = z
  .tuple([z.coerce.number().int().min(2).optional(), z.enum(['f32', 'bf16']).optional(), z.coerce.number().int().optional(), z.coerce.number().int().optional(), z.enum(['all', 'metrics', 'page', 'trace']).optional()])
  .parse([...process.argv.slice(2), ...new Array<undefined>(5)].slice(0, 5))
const TURN_MS = 4000
/** Pause after a coordinator is stopped, in which its workers compute the lanes that they were dealt. */
const DRAIN_MS = 500
/** Steps at the beginning of a turn that do not count: the one that was stopped midway, and one whose lanes were dealt while the other run had the machine. */
const UNSETTLED_STEPS = 2
const PER_CLASS = 80
const SCRAPE_MS = 5000
/** Time from the beginning of a turn to the first scrape: an earlier scrape meets connections that timed out while the run was stopped. */
const FIRST_SCRAPE_MS = 1500
/** Silence limit, in seconds, so long that no stopped process is taken for lost. */
const SILENCE_LIMIT = '86400'
/** Unit of processor time in Linux's /proc. */
const TICKS_PER_SECOND = 100

/** Ways to watch a run, as options of the coordinator. */
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
  { name: chosen, eyes: chosen === 'all' ? ['metrics', 'page', 'trace'] : [chosen] },
]

const COORDINATOR = path.join(ROOT, 'bin/coordinator.mjs')

const stepEventSchema = z.object({ event: z.literal('step'), time: z.iso.datetime().transform((time) => Date.parse(time)), epoch: z.number(), samples: z.number() })
type StepEvent = z.output<typeof stepEventSchema>

/** Processor time so far, in seconds, of a process and its descendants except the compute processes, whose work does not depend on whether the run is watched. */
async function cpuSecondsBesideCompute(root: number): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = new Map<number, number>()
  const seconds = new Map<number, number>()
  await Promise.all(pids.map(async (pid) => {
    const [stat, command] = await Promise.all(['stat', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')))
    const fields = stat.replace(/^.*\) /, '').split(' ')
    parents.set(pid, Number(fields[1]))
    if (!command.includes('programs/compute.js')) seconds.set(pid, (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND)
  }))
  const descends = (pid: number | undefined): boolean => pid !== undefined && (pid === root || descends(parents.get(pid)))
  return [...seconds].reduce((sum, [pid, own]) => (descends(pid) ? sum + own : sum), 0)
}

interface Turn {
  begin: number
  end: number
  cpuSeconds: number
}

/** A run that is stopped except in its turns. */
class Run {
  readonly arm: Arm
  readonly turns: Turn[] = []
  readonly #out: string
  readonly #child: ChildProcess
  readonly #scraped = new Set<string>()

  constructor(folder: string, data: string, arm: Arm) {
    this.arm = arm
    this.#out = path.join(folder, arm.name)
    const options = ['--data', data, '--out', this.#out, '--local-workers', '2', '--listen', '127.0.0.1:0', '--epochs', '100000', '--batch', String(batch), '--image-size', String(imageSize), '--precision', precision, '--test-fraction', '0.1', '--step-events', '--silence-limit', SILENCE_LIMIT, '--checkpoint-minutes', '0']
    this.#child = spawn(process.execPath, [...NODE_OPTIONS, COORDINATOR, ...options, ...arm.eyes.flatMap((eye) => EYES[eye](this.#out, this.#targets))], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...NODE_ENVIRONMENT } })
    this.#openPage(this.#child.stderr ?? process.stdin)
  }

  get #targets(): string {
    return `${this.#out}.targets.json`
  }

  async steps(): Promise<StepEvent[]> {
    const text = await readFile(path.join(this.#out, 'events.jsonl'), 'utf8').catch(() => '')
    // The last line may not be complete yet.
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).trim().split('\n')
    return lines.filter((line) => line.includes('"event":"step"')).map((line) => stepEventSchema.parse(JSON.parse(line)))
  }

  /** Waits for the end of the first epoch, in which TensorFlow optimises the graph, V8 compiles, and workers fill their memory with decoded images. */
  async warmUp(): Promise<void> {
    while (((await this.steps()).at(-1)?.epoch ?? 0) < 2) {
      if (this.#child.exitCode !== null) throw new Error(`the run ended with exit code ${this.#child.exitCode}`)
      await delay(500)
    }
    await this.#pause()
  }

  async turn(): Promise<void> {
    const cpuBefore = await this.#cpuSeconds()
    this.#child.kill('SIGCONT')
    const begin = Date.now()
    for (let scrape = begin + FIRST_SCRAPE_MS; scrape < begin + TURN_MS; scrape += SCRAPE_MS) {
      await delay(scrape - Date.now())
      await this.#scrape()
    }
    await delay(begin + TURN_MS - Date.now())
    const end = Date.now()
    await this.#pause()
    this.turns.push({ begin, end, cpuSeconds: (await this.#cpuSeconds()) - cpuBefore })
  }

  /** Processor time of the run, and of this process, which watches it. */
  async #cpuSeconds(): Promise<number> {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6 + (await cpuSecondsBesideCompute(this.#child.pid ?? 0))
  }

  end(): void {
    this.#child.kill('SIGCONT')
    this.#child.kill('SIGTERM')
  }

  async ended(): Promise<void> {
    if (this.#child.exitCode === null) await new Promise((resolve) => this.#child.once('exit', resolve))
  }

  async #pause(): Promise<void> {
    this.#child.kill('SIGSTOP')
    await delay(DRAIN_MS)
  }

  /** Opens the page when the run has printed its address, and notes the address of the metrics. */
  #openPage(said: NodeJS.ReadableStream): void {
    let text = ''
    let opened = false
    said.on('data', (data: Buffer) => {
      text += data.toString()
      const metrics = /metrics at (\S+)/.exec(text)?.[1]
      if (metrics !== undefined) this.#scraped.add(metrics)
      const page = /live page at http:\/\/(\S+)\//.exec(text)?.[1]
      if (page === undefined || opened) return
      opened = true
      new WebSocket(`ws://${page}/live`).on('error', () => undefined).on('message', () => undefined)
    })
  }

  async #scrape(): Promise<void> {
    if (!this.arm.eyes.includes('metrics')) return
    const groups = z.array(z.object({ targets: z.array(z.string()) })).parse(JSON.parse(await readFile(this.#targets, 'utf8')))
    const workers = groups.flatMap(({ targets }) => targets.map((address) => `http://${address}/metrics`))
    for (const url of [...this.#scraped, ...workers]) {
      const response = await fetch(url)
      if (!(await response.text()).includes('herd_')) throw new Error(`${url} has no metrics`)
    }
  }
}

/** Images a second of each turn; undefined if an evaluation took all of the turn. */
function speeds(steps: StepEvent[], turns: Run['turns']): (number | undefined)[] {
  return turns.map(({ begin, end }) => {
    const inside = steps.filter(({ time }) => time >= begin && time <= end).slice(UNSETTLED_STEPS)
    let images = 0
    let seconds = 0
    for (const [index, step] of inside.entries()) {
      const before = inside.at(index - 1)
      // An evaluation lies between the last step of an epoch and the first of the next.
      if (index === 0 || before?.epoch !== step.epoch) continue
      images += step.samples
      seconds += (step.time - before.time) / 1000
    }
    return seconds === 0 ? undefined : images / seconds
  })
}

/** Processor time of all turns together, divided by the number of steps that ended in them or in the pause after each. */
function cpuSecondsPerStep(steps: StepEvent[], turns: Turn[]): number {
  const done = turns.reduce((sum, { begin, end }) => sum + steps.filter(({ time }) => time >= begin && time <= end + DRAIN_MS).length, 0)
  return turns.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / done
}

/** The geometric mean of ratios, with an interval of two standard errors on either side. */
function meanRatio(ratios: number[]): string {
  const logs = ratios.map(Math.log)
  const mean = logs.reduce((sum, one) => sum + one, 0) / logs.length
  const variance = logs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (logs.length - 1)
  const error = 2 * Math.sqrt(variance / logs.length)
  return `${Math.exp(mean).toFixed(4)} (${Math.exp(mean - error).toFixed(4)} to ${Math.exp(mean + error).toFixed(4)})`
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-benchmark-'))
const runs: Run[] = []
try {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'data'), perClass: PER_CLASS, seed: 1, onProgress: () => undefined })
  for (const arm of arms) {
    const run = new Run(folder, data, arm)
    runs.push(run)
    await run.warmUp()
  }
  // The order is reversed from cycle to cycle, so that a machine that becomes slower or faster favours no run.
  for (let cycle = 0; cycle < cycles; cycle++) for (const run of cycle % 2 === 0 ? runs : runs.toReversed()) await run.turn()
  process.stdout.write(`article, ${imageSize} px, ${precision}, batch ${batch}, two local workers, ${cycles} turns of ${TURN_MS / 1000} s each\n`)
  const measured = await Promise.all(runs.map(async (run) => {
    const steps = await run.steps()
    return { arm: run.arm, speeds: speeds(steps, run.turns), cpu: cpuSecondsPerStep(steps, run.turns) }
  }))
  const nobody = measured[0]
  for (const { arm, speeds, cpu } of measured) {
    const own = speeds.filter((speed) => speed !== undefined)
    const ratios = speeds.flatMap((speed, cycle) => (speed === undefined || nobody.speeds[cycle] === undefined ? [] : speed / nobody.speeds[cycle]))
    const stepSeconds = batch / quantile(own, 0.5)
    process.stdout.write(`${arm.name.padEnd(8)} images/s median ${quantile(own, 0.5).toFixed(2)} (tenth ${quantile(own, 0.1).toFixed(2)} to ${quantile(own, 0.9).toFixed(2)})  ratio median ${quantile(ratios, 0.5).toFixed(4)}, mean with two standard errors ${meanRatio(ratios)}, ${ratios.length} pairs\n`)
    process.stdout.write(`         processor time a step beside compute ${(cpu * 1000).toFixed(1)} ms, ${(100 * (cpu - nobody.cpu) / (stepSeconds * os.availableParallelism())).toFixed(2)} % of the machine's more than where nobody looks\n`)
  }
} finally {
  for (const run of runs) run.end()
  await Promise.all(runs.map((run) => run.ended()))
  await rm(folder, { recursive: true, force: true })
}
