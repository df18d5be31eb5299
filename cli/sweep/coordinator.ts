import { spawn, type ChildProcess } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isHeld, tryLock } from '../../shared/kit/lock.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS, withoutOptions } from '../../shared/kit/node_process.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { RUN_LOCK } from '../../shared/run_folder/run_lock.ts'
import type { SweepSpec } from './spec.ts'

const COORDINATOR = path.join(ROOT, 'bin', 'coordinator.mjs')
/** Lines of a failed run's log that are told. */
const LAST_LINES = 5
const POLL_MS = 500

/** What one start of a coordinator is to train. */
export interface Start {
  data: string
  /** Share of the images of `data` that the run is tested on. */
  fraction: number
  recipeFile: string
  seed: number
  /** Epochs after which it ends. */
  epochs: number
  /** Folder of the run, which is begun or gone on with. */
  run: string
  /** File to which what it prints is appended. */
  log: string
  /** Number of the place that it has among those that go on at the same time, from 0. */
  place: number
}

/** How a coordinator ended: with exit code 0, or with a reason and the last lines that it printed. */
export type End = { ok: true } | { ok: false; reason: string; lines: string[] }

/** Writes the command line of a run: ordinary options of the coordinator. Runs that go on at the same time take GPUs one after the other. */
export function argumentsOf({ data, fraction, recipeFile, seed, epochs, run, place }: Start, { localWorkers, gpu }: Pick<SweepSpec, 'localWorkers' | 'gpu'>): string[] {
  return [
    '--data', data, '--test-fraction', String(fraction), '--recipe', recipeFile, '--seed', String(seed), '--epochs', String(epochs), '--out', run, '--resume', 'auto', '--pictures', 'off',
    ...(localWorkers === null ? ['--single-node'] : ['--local-workers', String(localWorkers), '--listen', '127.0.0.1:0']),
    ...(gpu === null ? [] : ['--gpu', String(gpu + place * (localWorkers ?? 1))]),
  ]
}

/** Coordinators that a sweep has started, and that a signal ends together. */
export class Coordinators {
  readonly #children = new Set<ChildProcess>()
  #isStopping = false

  /**
   * Trains until the coordinator ends.
   * @param onWait called if another process trains this run: one that a sweep has left when it was killed
   * @returns undefined if it was stopped
   */
  async train(start: Start, options: Pick<SweepSpec, 'localWorkers' | 'gpu'>, onWait: (holder: string) => void): Promise<End | undefined> {
    await this.#waitFor(start.run, onWait)
    const log = await open(start.log, 'a')
    try {
      if (this.#isStopping) return undefined
      // A process group of its own: Ctrl-C on the terminal reaches the sweep alone, which hands it on once. A coordinator ends at once at the second signal.
      const child = spawn(process.execPath, [...NODE_OPTIONS, COORDINATOR, ...argumentsOf(start, options)], { stdio: ['ignore', log.fd, log.fd], env: { ...withoutOptions(process.env), ...NODE_ENVIRONMENT }, detached: true })
      this.#children.add(child)
      const reason = await new Promise<string | undefined>((resolve) => {
        child.once('error', (error) => resolve(`the coordinator cannot be started: ${error.message}`))
        child.once('exit', (code, signal) => resolve(code === 0 ? undefined : signal === null ? `exit code ${code}` : `ended by ${signal}`))
      })
      this.#children.delete(child)
      if (this.#isStopping) return undefined
      return reason === undefined ? { ok: true } : { ok: false, reason, lines: (await readFile(start.log, 'utf8')).trimEnd().split('\n').slice(-LAST_LINES) }
    } finally {
      await log.close()
    }
  }

  /** Asks all coordinators to save and end; no other is started. */
  stop(): void {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#signal()
  }

  /** Settles when all coordinators have ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#children].map((child) => new Promise((resolve) => child.once('exit', resolve))))
  }

  /** Ends all coordinators at once: a second signal does. */
  abandon(): void {
    this.#signal()
  }

  #signal(): void {
    for (const child of this.#children) child.kill('SIGTERM')
  }

  async #waitFor(run: string, onWait: (holder: string) => void): Promise<void> {
    for (let isFirst = true; !this.#isStopping; isFirst = false) {
      const lock = await tryLock(path.join(run, RUN_LOCK))
      if (isHeld(lock)) return lock.release()
      if (isFirst) onWait(lock.name)
      await sleep(POLL_MS)
    }
  }
}
