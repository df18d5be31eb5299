import path from 'node:path'
import pMap from 'p-map'
import { measured } from '../../live/report/sweep.ts'
import type { Progress } from '../../shared/command/progress.ts'
import type { Log } from '../../shared/kit/log.ts'
import type { HistoryLine } from '../../shared/run_folder/schemas.ts'
import type { Sweep } from '../../shared/run_folder/sweep.ts'
import { Coordinators } from './coordinator.ts'
import type { SweepFolder } from './folder.ts'
import { countEpochs, survivors } from './halving.ts'
import type { TrialImages } from './images.ts'
import { bestOf, ranked, scoreAfter, trialResult, type RunResult } from './results.ts'
import type { SweepSpec } from './spec.ts'
import { roundTime } from './table.ts'
import { settingsText, type Trial } from './trials.ts'

/** How often the histories of runs that go on are read. */
const LOOK_EVERY_MS = 1000

export interface SweepParts {
  spec: SweepSpec
  trials: readonly Trial[]
  folder: SweepFolder
  images: TrialImages
  /** What sweep.json says of the images. */
  data: Sweep['data']
  log: Log
  progress: Progress
  /** Called when a run has ended. */
  onChange(): Promise<void>
}

/** A sweep that goes on: it trains what the runs in its folder do not have yet. */
export class RunningSweep {
  readonly #parts: SweepParts
  readonly #coordinators = new Coordinators()
  /** By the folder of the run, relative to the sweep's. */
  readonly #runs = new Map<string, RunResult>()
  readonly #halted = new Set<number>()
  readonly #active = new Set<string>()
  readonly #places: number[]
  readonly #epochs: number
  #isStopping = false
  #isOver = false

  constructor(parts: SweepParts) {
    this.#parts = parts
    const { spec, trials } = parts
    this.#places = Array.from({ length: spec.parallel }, (_, place) => place)
    this.#epochs = countEpochs(trials.map(({ epochs }) => epochs), spec.seeds.length, spec.halving)
    for (const trial of trials) for (const seed of spec.seeds) this.#keep(trial, { seed, state: 'open', history: [] })
  }

  /**
   * Trains all trials, and after each rung those that are left; it ends earlier if it is stopped. A run that fails ends no other.
   * @throws RunError if a file of the sweep cannot be read or written
   */
  async train(): Promise<void> {
    const { spec: { halving, seeds, parallel }, trials } = this.#parts
    const looking = setInterval(() => void this.#look(), LOOK_EVERY_MS)
    try {
      let going = trials
      for (const rung of [...(halving?.epochs ?? []), undefined]) {
        const jobs = going.flatMap((trial) => seeds.map((seed) => ({ trial, seed })))
        await pMap(jobs, ({ trial, seed }) => this.#train(trial, seed, rung ?? trial.epochs), { concurrency: parallel })
        if (this.#isStopping) return
        if (rung !== undefined && halving !== null) going = this.#leftAfter(rung, going, halving.keep)
      }
      this.#isOver = true
    } finally {
      clearInterval(looking)
    }
  }

  /** Lets all runs save and end; the sweep can go on afterwards. */
  stop(): void {
    this.#isStopping = true
    this.#coordinators.stop()
  }

  /** Waits for the end of all runs, which an error may have left to themselves. */
  async close(): Promise<void> {
    this.stop()
    await this.#coordinators.ended()
  }

  /** Ends all runs at once. */
  abandon(): void {
    this.#coordinators.abandon()
  }

  /** How the sweep is. */
  get result(): Sweep {
    const { spec, trials, data, folder } = this.#parts
    return {
      name: path.basename(folder.path),
      state: this.#isOver ? 'finished' : this.#isStopping ? 'stopped' : 'going on',
      data, measure: spec.measure, parts: Object.keys(spec.search.over), seeds: [...spec.seeds], halving: spec.halving,
      trials: ranked(trials.map((trial) => trialResult(trial, this.#runsOf(trial), spec.measure, this.#halted.has(trial.number))), spec.measure),
    }
  }

  /** Histories of the runs, by their folders. */
  get histories(): ReadonlyMap<string, readonly HistoryLine[]> {
    return new Map([...this.#runs].map(([folder, { history }]) => [folder, history]))
  }

  /** Trains a run until it has so many epochs, unless it has. */
  async #train(trial: Trial, seed: number, epochs: number): Promise<void> {
    const { folder, spec, images, log, onChange } = this.#parts
    const before = await folder.readRun(trial, seed, epochs)
    this.#keep(trial, { seed, state: before.isDone && epochs === trial.epochs ? 'finished' : 'open', history: before.history })
    if (before.isDone || this.#isStopping) return
    const name = `trial ${trial.number} of ${this.#parts.trials.length}, seed ${seed}`
    const place = this.#places.shift() ?? 0
    const run = this.#folderOf(trial, seed)
    this.#active.add(run)
    const start = { data: images.folder, fraction: images.fraction, recipeFile: folder.recipeFile(trial), seed, epochs, run: folder.runFolder(trial, seed), log: folder.logFile(trial, seed), place }
    const end = await this.#coordinators.train(start, spec, (holder) => {
      this.#parts.progress.pause()
      log.info(`${name} is being trained by ${holder}, which a sweep has left: waiting for its end.`)
    }).finally(() => {
      this.#places.unshift(place)
      this.#active.delete(run)
    })
    const { history, isDone } = await folder.readRun(trial, seed, epochs)
    const failed = end?.ok === false
    this.#keep(trial, { seed, state: failed ? 'failed' : isDone && epochs === trial.epochs ? 'finished' : 'open', history, ...(failed ? { reason: end.reason } : {}) })
    this.#parts.progress.pause()
    if (failed) log.error(`${name} failed (${settingsText(trial.settings)}): ${end.reason}. The last of ${start.log}:\n${end.lines.map((line) => `  ${line}`).join('\n')}`)
    else if (isDone) log.info(`${name}: ${this.#reached(history)} (${settingsText(trial.settings)}).`)
    this.#show()
    await onChange()
  }

  /** Says how far a run has come: "accuracy 91.2 % after 3 epochs in 12 s". */
  #reached(history: readonly HistoryLine[]): string {
    const { measure } = this.#parts.spec
    const last = history.at(-1)
    const seconds = history.reduce((sum, line) => sum + line.seconds, 0)
    return `${measure} ${measured(measure === 'loss' ? last?.testLoss : last?.testAccuracy, measure)} after ${last?.epoch === 1 ? '1 epoch' : `${last?.epoch ?? 0} epochs`} in ${roundTime(seconds)}`
  }

  /** Halts the trials that do not go on after a rung. @returns the others */
  #leftAfter(rung: number, going: readonly Trial[], keep: number): readonly Trial[] {
    const { spec: { measure }, log, progress } = this.#parts
    const left = new Set(survivors(going.map((trial) => scoreAfter(rung, this.#runsOf(trial), measure)), keep))
    for (const [index, { number }] of going.entries()) if (!left.has(index)) this.#halted.add(number)
    progress.pause()
    log.info(`After ${rung} ${rung === 1 ? 'epoch' : 'epochs'}, ${left.size} of ${going.length} trials go on: ${[...left].map((index) => going[index].number).join(', ') || 'none'}.`)
    return going.filter((_, index) => left.has(index))
  }

  /** Reads how far the runs are that go on. */
  async #look(): Promise<void> {
    for (const folder of this.#active) {
      // A file that is being written may be half there: the next look reads it whole.
      const history = await this.#parts.folder.readHistory(folder).catch(() => undefined)
      const run = this.#runs.get(folder)
      if (history !== undefined && run !== undefined && this.#active.has(folder)) this.#runs.set(folder, { ...run, history })
    }
    this.#show()
  }

  #show(): void {
    const { progress, spec: { measure } } = this.#parts
    const done = [...this.#runs.values()].reduce((sum, { history }) => sum + history.length, 0)
    const best = bestOf(this.result.trials)
    const active = this.#active.size === 1 ? [...this.#active][0].replace(/^trials\/(\d+)\/seed-(\d+)$/, 'trial $1, seed $2') : `${this.#active.size} runs go on`
    progress.update(done, this.#epochs, [active, ...(best === undefined ? [] : [`best ${measured(best.mean, measure)}, trial ${best.number}`])].join('; '))
  }

  #folderOf(trial: Trial, seed: number): string {
    return path.relative(this.#parts.folder.path, this.#parts.folder.runFolder(trial, seed))
  }

  #keep(trial: Trial, result: Omit<RunResult, 'folder'>): void {
    const folder = this.#folderOf(trial, result.seed)
    this.#runs.set(folder, { ...result, folder })
  }

  #runsOf(trial: Trial): RunResult[] {
    return this.#parts.spec.seeds.map((seed) => this.#runs.get(this.#folderOf(trial, seed)) ?? { seed, folder: this.#folderOf(trial, seed), state: 'open', history: [] })
  }
}
