import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { drawDataset } from '../../cli/draw/dataset.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { historyLineSchema, summarySchema } from '../../shared/run_folder/schemas.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { childrenOf } from '../bench/child_processes.ts'

/**
 * Measures what a slow worker adds to a fast one: node bin/run.mjs benchmark/single/stragglers.ts [rounds] [image size] [batch] [lanes]
 * Whole runs of the article's network, on Linux with two cores: the fast worker alone, the slow one alone, and both. The
 * fast worker computes on a core of its own, so that the two do not take time from each other; all other processes are on
 * the second core. There the slow worker's compute process is stopped and continued so that it runs about a fifth of the
 * time, and the other processes have priority over it: on a machine of its own it would not be in their way.
 */
const whole = z.coerce.number().int().min(1).optional()
const [rounds = 3, imageSize = 156, batch = 128, lanes = 16] = z.tuple([whole, whole, whole, whole]).parse([...process.argv.slice(2), ...new Array<undefined>(4)].slice(0, 4))
/** Images of each class: enough for many steps an epoch, so that the last one, with its short batch, does not count for much. */
const PER_CLASS = 120
const RUNS_MS = 21
const STOPS_MS = 79

const bin = (name: string): string => path.join(ROOT, 'bin', `${name}.mjs`)

interface Arm {
  name: string
  fast: boolean
  slow: boolean
  epochs: number
  /** The fastest of so many last epochs counts: the others were slowed down by other users of the machine. */
  measuredEpochs: number
}

const arms: Arm[] = [
  { name: 'fast alone', fast: true, slow: false, epochs: 4, measuredEpochs: 3 },
  { name: 'slow alone', fast: false, slow: true, epochs: 1, measuredEpochs: 1 },
  { name: 'both', fast: true, slow: true, epochs: 4, measuredEpochs: 3 },
]

function start(program: string, args: string[]): ChildProcess {
  return spawn('taskset', ['-c', '1', process.execPath, ...NODE_OPTIONS, bin(program), ...args], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...NODE_ENVIRONMENT } })
}

/** Calls back with the process ids of a worker's children, again and again until it ends. */
async function whileItRuns(worker: ChildProcess, act: (pids: number[]) => Promise<void>): Promise<void> {
  while (worker.exitCode === null && worker.signalCode === null) await act(await childrenOf(worker.pid))
}

/** Changes how each process that a worker starts is scheduled, until the worker ends. @param program run as `program arguments_ PID` */
function reschedule(worker: ChildProcess, program: string, arguments_: string[]): Promise<void> {
  const done = new Set<number>()
  return whileItRuns(worker, async (pids) => {
    for (const pid of pids.filter((each) => !done.has(each))) {
      spawn(program, [...arguments_, String(pid)], { stdio: 'ignore' })
      done.add(pid)
    }
    await sleep(500)
  })
}

/** Gives a worker's compute process the first core. */
const speedUp = (worker: ChildProcess): Promise<void> => reschedule(worker, 'taskset', ['-a', '-c', '-p', '0'])

/** Gives a worker's compute process only the time that the other processes on its core leave. */
const stepAside = (worker: ChildProcess): Promise<void> => reschedule(worker, 'chrt', ['-a', '-i', '-p', '0'])

/** Lets a worker's compute process run only a fifth of the time. */
function slowDown(worker: ChildProcess): Promise<void> {
  const signal = (name: NodeJS.Signals, pids: number[]): void => {
    for (const pid of pids) {
      try {
        process.kill(pid, name)
      } catch {
        // The process has ended meanwhile.
      }
    }
  }
  return whileItRuns(worker, async (pids) => {
    signal('SIGSTOP', pids)
    await sleep(STOPS_MS)
    signal('SIGCONT', pids)
    await sleep(RUNS_MS)
  })
}

const exitOf = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', resolve))

function addressOf(coordinator: ChildProcess): Promise<string> {
  let said = ''
  return new Promise((resolve, reject) => {
    coordinator.stderr?.on('data', (data: Buffer) => {
      said += data.toString()
      const match = /waiting for workers at (\S+)/.exec(said)
      if (match !== null) resolve(match[1])
    })
    coordinator.once('exit', () => reject(new Error(`the coordinator ended: ${said}`)))
  })
}

async function imagesPerSecond(out: string, data: string, arm: Arm): Promise<{ speed: number; takenOver: number }> {
  const workers = Number(arm.fast) + Number(arm.slow)
  const coordinator = start('coordinator', [
    '--data', data, '--out', out, '--workers', String(workers), '--listen', '127.0.0.1:0', '--epochs', String(arm.epochs),
    '--batch', String(batch), '--lanes', String(lanes), '--image-size', String(imageSize), '--test-fraction', '0.1',
  ])
  const ended = exitOf(coordinator)
  const address = await addressOf(coordinator)
  const startWorker = (name: string): ChildProcess => {
    const worker = start('worker', ['--coordinator', address, '--data', data, '--name', name, '--quiet'])
    worker.stderr?.pipe(process.stderr)
    return worker
  }
  if (arm.fast) void speedUp(startWorker('fast'))
  if (arm.slow) {
    const slow = startWorker('slow')
    void stepAside(slow)
    void slowDown(slow)
  }
  const code = await ended
  if (code !== 0) throw new Error(`the run ended with exit code ${String(code)}`)
  const lines = (await readFile(path.join(out, 'history.jsonl'), 'utf8')).trim().split('\n')
  const measured = lines.slice(-arm.measuredEpochs).map((line) => historyLineSchema.parse(JSON.parse(line)))
  const summary = summarySchema.parse(JSON.parse(await readFile(path.join(out, 'summary.json'), 'utf8')))
  return { speed: Math.max(...measured.map((line) => line.imagesPerSecond)), takenOver: summary.lanesTakenOver }
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-benchmark-'))
try {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'data'), perClass: PER_CLASS, seed: 1, onProgress: () => undefined })
  process.stdout.write(`article, ${imageSize} px, float32, batch ${batch}, ${lanes} lanes, images/s\n`)
  for (let round = 1; round <= rounds; round++) {
    const results: { speed: number; takenOver: number }[] = []
    for (const arm of arms) results.push(await imagesPerSecond(path.join(folder, `${arm.name}-${round}`), data, arm))
    const [fast, slow, both] = results
    process.stdout.write(
      `fast alone ${fast.speed.toFixed(2)}  slow alone ${slow.speed.toFixed(2)} (1/${(fast.speed / slow.speed).toFixed(1)})  both ${both.speed.toFixed(2)}  gain ${(both.speed / fast.speed).toFixed(3)}  taken over ${both.takenOver}\n`,
    )
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
