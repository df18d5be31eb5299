import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { RunFolderView } from '../../live/run_folder_view.ts'
import { messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { makeFolders } from '../../shared/kit/folders.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'
import { parsed, readText, writeJson, writeWhole } from '../../shared/run_folder/json_files.ts'
import { isRunFolder, RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { HistoryLine } from '../../shared/run_folder/schemas.ts'
import { sweepSchema, type Sweep } from '../../shared/run_folder/sweep.ts'
import type { Trial } from './trials.ts'

const recipeFileSchema = z.record(z.string(), z.unknown())
const clock = (): Date => new Date()

/** How far a run has come. */
export interface RunSoFar {
  /** True if nothing is left to be trained: it has so many epochs as were asked for, or has stopped early. */
  isDone: boolean
  history: readonly HistoryLine[]
}

/** The folder of a sweep: its runs are the truth about how far it is; the rest is made of them. */
export class SweepFolder {
  readonly path: string

  /** @param folder is made, if it is not there, by `open` */
  private constructor(folder: string) {
    this.path = folder
  }

  /** Opens the folder of a sweep, or makes it. @throws RunError if it cannot be made; UsageError if it is the folder of something else */
  static async open(folder: string): Promise<SweepFolder> {
    const absolute = path.resolve(folder)
    if (await isRunFolder(absolute)) throw new UsageError(`--out ${folder} is the folder of a run: give another one for the sweep.`)
    try {
      await makeFolders(absolute)
    } catch (error) {
      throw new RunError(`${folder} cannot be made: ${messageOf(error)}.`, { cause: error })
    }
    return new SweepFolder(absolute)
  }

  get stateFile(): string { return path.join(this.path, 'sweep.json') }
  get tableFile(): string { return path.join(this.path, 'sweep.csv') }
  get pageFile(): string { return path.join(this.path, 'sweep.html') }
  /** Recipe of the best trial, for --recipe. */
  get bestFile(): string { return path.join(this.path, 'best.json') }
  /** Links to the images of the training part, if the data set has no folder of them. */
  get imagesFolder(): string { return path.join(this.path, 'images') }

  trialFolder({ number }: Pick<Trial, 'number'>): string { return path.join(this.path, 'trials', String(number)) }
  recipeFile(trial: Pick<Trial, 'number'>): string { return path.join(this.trialFolder(trial), 'recipe.json') }
  runFolder(trial: Pick<Trial, 'number'>, seed: number): string { return path.join(this.trialFolder(trial), `seed-${seed}`) }
  /** What the coordinators of a run have printed. */
  logFile(trial: Pick<Trial, 'number'>, seed: number): string { return path.join(this.trialFolder(trial), `seed-${seed}.log`) }

  /** Reads how the sweep was. @returns undefined if it has just begun @throws RunError if the file is not as expected */
  async readState(): Promise<Sweep | undefined> {
    const text = await readText(this.stateFile)
    return text === undefined ? undefined : parsed(this.stateFile, sweepSchema, text)
  }

  writeState(sweep: Sweep): Promise<void> { return writeJson(this.stateFile, sweepSchema, sweep) }
  writeText(file: string, text: string): Promise<void> { return writeWhole(file, Buffer.from(text)) }

  /**
   * Writes the recipe of a trial, unless it is there.
   * @throws UsageError if the folder has another recipe for it: the file of the sweep was changed in what its trials are
   */
  async keepRecipe(trial: Trial): Promise<void> {
    const file = this.recipeFile(trial)
    const wanted: unknown = JSON.parse(JSON.stringify(trial.recipe))
    const text = await readText(file)
    if (text === undefined) {
      await makeFolders(this.trialFolder(trial))
      return writeJson(file, recipeFileSchema, trial.recipe)
    }
    const begun = parsed(file, recipeFileSchema, text)
    if (isDeepStrictEqual(begun, wanted)) return
    const changed = [...new Set([...Object.keys(begun), ...Object.keys(trial.recipe)])].find((key) => !isDeepStrictEqual(begun[key], (wanted as Record<string, unknown>)[key])) ?? ''
    throw new UsageError(`trial ${trial.number} of ${this.path} began with another ${changed}, ${JSON.stringify(begun[changed]) ?? 'that of the recipe article'}, than the sweep's file has now: give another --out, or put the file back. More trials at the end, more seeds, and how many runs go on at the same time may change.`)
  }

  /**
   * Reads how far a run has come.
   * @param epochs how many are wanted of it
   * @throws RunError if its files are damaged
   */
  async readRun(trial: Pick<Trial, 'number'>, seed: number, epochs: number): Promise<RunSoFar> {
    const at = this.runFolder(trial, seed)
    if (!(await isRunFolder(at))) return { isDone: false, history: [] }
    const { state, history, facts: { recipe } } = await new RunFolderView(await RunFolder.open(at, clock)).read(clock())
    const { earlyStop, epochs: asked = 0 } = knownRecipe(recipe)
    const trained = history.at(-1)?.epoch ?? 0
    // A run that was asked for more epochs has been done with fewer; one that has ended before as many epochs as it was asked for has stopped early, and would not go on.
    const isBeyond = trained >= epochs && asked > epochs
    const stoppedEarly = typeof earlyStop === 'number' && asked >= epochs
    return { isDone: isBeyond || (state === 'finished' && (trained >= epochs || stoppedEarly)), history }
  }

  /** Reads the epochs of a run that may be going on. @param folder relative to the sweep's @throws RunError if the file is damaged */
  async readHistory(folder: string): Promise<readonly HistoryLine[]> {
    const at = path.join(this.path, folder)
    return (await isRunFolder(at)) ? (await RunFolder.open(at, clock)).readHistory() : []
  }
}
