import { mkdir, readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { removeTemporaries } from '../kit/atomic_file.ts'
import { messageOf, RunError, UsageError } from '../kit/errors.ts'
import { evaluationSchema, type EvaluationView, configSchema, eventLineSchema, historyLineSchema, summarySchema, type EventLine, type HistoryLine, type RunConfig, type Summary } from './schemas.ts'
import { confusionPlot } from '../pictures/confusion.ts'
import { accuracyPlot, lossPlot } from '../pictures/curves.ts'
import { writePicture } from '../pictures/write_picture.ts'
import { CheckpointFolder } from './checkpoint_folder.ts'
import { readJson, writeJson } from './json_files.ts'
import { JsonLines } from './json_lines.ts'

export type Clock = () => Date

/** Any of these in a folder means that it has a run. */
const RUN_MARKS = ['config.json', 'history.jsonl', 'summary.json', 'checkpoints']
export const RUNS_ROOT = 'runs'

/** A run's folder, readable without Herd: its files are a contract with users. */
export class RunFolder {
  readonly path: string
  readonly checkpoints: CheckpointFolder
  readonly #clock: Clock
  readonly #history: JsonLines<HistoryLine>
  readonly #events: JsonLines<EventLine>

  private constructor(path: string, clock: Clock) {
    this.path = path
    this.checkpoints = new CheckpointFolder(join(path, 'checkpoints'))
    this.#clock = clock
    this.#history = new JsonLines(this.historyFile, historyLineSchema)
    this.#events = new JsonLines(this.eventsFile, eventLineSchema)
  }

  /**
   * Makes the folder of a new run.
   * @param out where the user wants it; undefined: runs/<date>-<time>, with a number where that is taken.
   * @throws UsageError where `out` already has a run, or is not a folder; RunError where it cannot be made.
   */
  static async create(out: string | undefined, clock: Clock, root: string = RUNS_ROOT): Promise<RunFolder> {
    if (out === undefined) return new RunFolder(await makeDatedFolder(root, clock()), clock)
    const path = resolve(out)
    await makeFolder(path, out)
    const names = await readdir(path)
    if (RUN_MARKS.some((mark) => names.includes(mark))) throw new UsageError(`--out ${out} already has a run: continue it with --resume latest, or give another --out.`)
    return new RunFolder(path, clock)
  }

  /**
   * Opens the folder of a run that exists, to resume or to read it.
   * @param advice for who gave a folder without a run
   * @throws UsageError where there is none.
   */
  static async open(out: string, clock: Clock, advice = 'check --out, or start one without --resume.'): Promise<RunFolder> {
    const path = resolve(out)
    if (!(await isRun(path))) throw new UsageError(`${out} has no run: ${advice}`)
    return new RunFolder(path, clock)
  }

  /**
   * Opens the newest of the dated runs.
   * @throws UsageError where there is none.
   */
  static async openNewest(clock: Clock, root: string = RUNS_ROOT): Promise<RunFolder> {
    const names = await readdir(root).catch(() => [])
    // "-10" comes after "-9" for the numbers that tell runs of one second apart.
    const dated = names.filter((name) => /^\d{4}-\d{2}-\d{2}-\d{6}(-\d+)?$/.test(name)).sort(new Intl.Collator('en', { numeric: true }).compare)
    for (const name of dated.reverse()) {
      if (await isRun(join(root, name))) return new RunFolder(resolve(root, name), clock)
    }
    throw new UsageError(`${root} has no run to resume: give its folder with --out, or start one without --resume.`)
  }

  get configFile(): string { return join(this.path, 'config.json') }
  get historyFile(): string { return join(this.path, 'history.jsonl') }
  get eventsFile(): string { return join(this.path, 'events.jsonl') }
  get summaryFile(): string { return join(this.path, 'summary.json') }
  get evaluationFile(): string { return join(this.path, 'evaluation.json') }
  get plotsFolder(): string { return join(this.path, 'plots') }

  writeConfig(config: RunConfig): Promise<void> { return writeJson(this.configFile, configSchema, config) }
  readConfig(): Promise<RunConfig> { return readJson(this.configFile, configSchema) }
  writeSummary(summary: Summary): Promise<void> { return writeJson(this.summaryFile, summarySchema, summary) }
  readSummary(): Promise<Summary> { return readJson(this.summaryFile, summarySchema) }
  writeEvaluation(evaluation: EvaluationView): Promise<void> { return writeJson(this.evaluationFile, evaluationSchema, evaluation) }
  /** @returns undefined where there is none: before the first epoch, and in runs of older versions. */
  async readEvaluation(): Promise<EvaluationView | undefined> {
    return (await exists(this.evaluationFile)) ? readJson(this.evaluationFile, evaluationSchema) : undefined
  }
  readHistory(): Promise<HistoryLine[]> { return this.#history.read() }
  readEvents(): Promise<EventLine[]> { return this.#events.read() }

  /** Adds an epoch, durably: its checkpoint comes after it. @throws WriteError where the disk refuses; the line waits for the next write. */
  appendHistory(line: HistoryLine): void {
    this.#history.append(line, { durable: true })
  }

  /** Notes that something happened now. @throws WriteError where the disk refuses; the line waits for the next write. */
  appendEvent(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#events.append({ time: this.#clock().toISOString(), event, ...fields })
  }

  /** Writes what waits. @throws WriteError where the disk still refuses. */
  flush(): void {
    this.#history.flush(true)
    this.#events.flush(true)
  }

  /**
   * Puts right what a crash left: half-written files are removed, half a last line is cut off history and events. Call it
   * before anything is written, and only where no other process writes into the folder.
   * @returns what was done, for people
   */
  async repair(): Promise<string[]> {
    const cut = async (lines: JsonLines<unknown>): Promise<string[]> => {
      const bytes = await lines.cutHalfLine()
      return bytes === 0 ? [] : [`cut ${bytes} bytes of a half-written last line off ${basename(lines.file)}`]
    }
    const removed = (await Promise.all([this.path, this.checkpoints.path, this.plotsFolder].map(removeTemporaries))).flat()
    return [...removed.map((name) => `removed the half-written file ${name}`), ...(await cut(this.#history)), ...(await cut(this.#events))]
  }

  /** Before resuming: drops the epochs that will be trained again, those after `afterEpoch`. */
  async truncateHistory(afterEpoch: number): Promise<void> {
    await this.#history.cutFrom(({ epoch }) => epoch > afterEpoch)
  }

  /** Draws plots/loss and plots/accuracy, each as .svg and .png, from the history. */
  async writeCurves(): Promise<void> {
    const history = await this.readHistory()
    await writePicture(this.plotsFolder, 'loss', lossPlot(history))
    await writePicture(this.plotsFolder, 'accuracy', accuracyPlot(history))
  }

  /**
   * Draws plots/confusion.svg and .png.
   * @param matrix [true class][predicted class], counts.
   */
  writeConfusion(matrix: readonly (readonly number[])[], classNames: readonly string[]): Promise<void> {
    return writePicture(this.plotsFolder, 'confusion', confusionPlot(matrix, classNames))
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

async function isRun(path: string): Promise<boolean> {
  const names = await readdir(path).catch(() => [] as string[])
  return RUN_MARKS.some((mark) => names.includes(mark))
}

/** @param shown the path as the user gave it. */
async function makeFolder(path: string, shown: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && !found.isDirectory()) throw new UsageError(`--out ${shown} is not a folder: give another --out.`, { cause: error })
    throw new RunError(`${shown} cannot be made: ${messageOf(error)}.`, { cause: error })
  }
}

/** Makes root/2025-01-31-235959 in local time; a run that began in the same second gets the name first. */
async function makeDatedFolder(root: string, now: Date): Promise<string> {
  const two = (value: number): string => String(value).padStart(2, '0')
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-')
  const name = `${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
  await makeFolder(resolve(root), root)
  for (let number = 1; ; number++) {
    const path = resolve(root, number === 1 ? name : `${name}-${number}`)
    try {
      await mkdir(path)
      return path
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new RunError(`${path} cannot be made: ${messageOf(error)}.`, { cause: error })
    }
  }
}
