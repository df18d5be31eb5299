import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { RunError } from '../../shared/kit/errors.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { childrenOf, killIfThere } from './child_processes.ts'

const BIN = path.join(ROOT, 'bin')
const POLL_MS = 5

const eventSchema = z.looseObject({ time: z.iso.datetime(), event: z.string() })
type Noted = z.infer<typeof eventSchema>

/** A program of Herd, started as a user starts it. */
class Daemon {
  readonly #child: ChildProcess
  #said = ''

  constructor(program: 'coordinator' | 'worker', args: readonly string[]) {
    this.#child = spawn(process.execPath, [...NODE_OPTIONS, path.join(BIN, `${program}.mjs`), ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...NODE_ENVIRONMENT } })
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (data: Buffer) => (this.#said = (this.#said + data.toString()).slice(-4000)))
  }

  get said(): string {
    return this.#said
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Kills the program, and the processes that it has started: local workers would wait for their coordinator for a while. */
  async kill(): Promise<void> {
    const { pid } = this.#child
    if (this.hasEnded || pid === undefined) return
    const started = await childrenOf(pid)
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
    for (const child of started) killIfThere(child)
  }
}

/** A whole run of Herd in a folder of its own, watched by its events.jsonl. */
export class HerdRun {
  readonly #folder: string
  readonly #arguments: readonly string[]
  readonly #workers = new Map<string, Daemon>()
  #coordinator: Daemon

  /** Starts the coordinator. @param folder of the run @param args the coordinator's arguments besides --out and --step-events */
  constructor(folder: string, args: readonly string[]) {
    this.#folder = folder
    this.#arguments = [...args, '--out', folder, '--step-events']
    this.#coordinator = new Daemon('coordinator', this.#arguments)
  }

  startWorker(name: string, args: readonly string[]): void {
    this.#workers.set(name, new Daemon('worker', [...args, '--name', name]))
  }

  async killWorker(name: string): Promise<void> {
    await this.#workers.get(name)?.kill()
    this.#workers.delete(name)
  }

  /** Kills the coordinator, and starts another one that resumes the run. */
  async resume(): Promise<void> {
    await this.#coordinator.kill()
    this.#coordinator = new Daemon('coordinator', [...this.#arguments, '--resume', 'latest'])
  }

  /** All events so far. */
  async events(): Promise<Noted[]> {
    const text = await readFile(path.join(this.#folder, 'events.jsonl'), 'utf8').catch(() => '')
    return text.split('\n').slice(0, -1).map((line) => eventSchema.parse(JSON.parse(line)))
  }

  /**
   * Waits for an event.
   * @param after number of earlier events, which do not count
   * @returns its time in milliseconds since 1970, and its index among all events
   * @throws RunError with the coordinator's output if it ends before the event.
   */
  async event(wanted: (event: Noted) => boolean, after = 0): Promise<{ time: number; index: number }> {
    for (;;) {
      const events = await this.events()
      const index = events.findIndex((event, place) => place >= after && wanted(event))
      if (index >= 0) return { time: Date.parse(events[index].time), index }
      if (this.#coordinator.hasEnded) throw new RunError(`the coordinator ended; it said:\n${this.#coordinator.said.trim()}`)
      await sleep(POLL_MS)
    }
  }

  /** Kills all processes of the run, and removes its folder. */
  async close(): Promise<void> {
    await Promise.all([this.#coordinator, ...this.#workers.values()].map((daemon) => daemon.kill()))
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
