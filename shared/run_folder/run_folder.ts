import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { chainLineSchema, chainOf, type Chain, type ChainLine } from '../audit/chain.ts'
import { provenanceSchema, type Provenance } from '../audit/provenance.ts'
import { makeFolders } from '../kit/folders.ts'
import { removeTemporaries } from '../kit/atomic_file.ts'
import { messageOf, RunError, UsageError } from '../kit/errors.ts'
import type { LineFollower } from './line_follower.ts'
import { bannedSchema, type Banned, evaluationSchema, type EvaluationView, configSchema, eventLineSchema, historyLineSchema, summarySchema, type EventLine, type HistoryLine, type RunConfig, type Summary } from './schemas.ts'
import { CheckpointFolder } from './checkpoint_folder.ts'
import { readJson, readText, writeJson, writeWhole } from './json_files.ts'
import { JsonLines } from './json_lines.ts'

export type Clock = () => Date

/** Names of files and folders, any of which marks a folder as that of a run. */
const RUN_MARKS = ['config.json', 'history.jsonl', 'summary.json', 'checkpoints']
export const RUNS_ROOT = 'runs'

/** A run's folder, readable without Herd: its files are a contract with users. */
export class RunFolder {
  readonly path: string
  readonly checkpoints: CheckpointFolder
  /** The file digests.jsonl. */
  readonly digests: JsonLines<ChainLine>
  readonly #clock: Clock
  readonly #history: JsonLines<HistoryLine>
  readonly #events: JsonLines<EventLine>

  private constructor(path: string, clock: Clock) {
    this.path = path
    this.checkpoints = new CheckpointFolder(join(path, 'checkpoints'))
    this.#clock = clock
    this.#history = new JsonLines(this.historyFile, historyLineSchema, { durable: true })
    this.#events = new JsonLines(this.eventsFile, eventLineSchema)
    this.digests = new JsonLines(this.digestsFile, chainLineSchema)
  }

  /**
   * Creates the folder of a new run.
   * @param out folder that the user wants; undefined: runs/<date>-<time>, with a number if that exists already
   * @param root folder of the dated runs
   * @throws UsageError if `out` already has a run, or is not a folder
   * @throws RunError if the folder cannot be created
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
   * Opens the folder of an existing run, to resume or to read it.
   * @param advice end of the error message for a user who gave a folder without a run
   * @throws UsageError if the folder has no run
   */
  static async open(out: string, clock: Clock, advice = 'check --out, or start one without --resume.'): Promise<RunFolder> {
    const path = resolve(out)
    if (!(await isRunFolder(path))) throw new UsageError(`${out} has no run: ${advice}`)
    return new RunFolder(path, clock)
  }

  /**
   * Opens the newest of the dated runs.
   * @throws UsageError if there is none
   */
  static async openNewest(clock: Clock, root: string = RUNS_ROOT): Promise<RunFolder> {
    const names = await readdir(root).catch(() => [])
    // Numeric order puts "-10" after "-9": numbers tell runs of the same second apart.
    const dated = names.filter((name) => /^\d{4}-\d{2}-\d{2}-\d{6}(-\d+)?$/.test(name)).sort(new Intl.Collator('en', { numeric: true }).compare)
    for (const name of dated.reverse()) {
      if (await isRunFolder(join(root, name))) return new RunFolder(resolve(root, name), clock)
    }
    throw new UsageError(`${root} has no run to resume: give its folder with --out, or start one without --resume.`)
  }

  get #lines(): Pick<JsonLines<unknown>, 'flush' | 'settled' | 'abandon'>[] { return [this.#history, this.#events, this.digests] }

  get configFile(): string { return join(this.path, 'config.json') }
  get historyFile(): string { return join(this.path, 'history.jsonl') }
  get eventsFile(): string { return join(this.path, 'events.jsonl') }
  get summaryFile(): string { return join(this.path, 'summary.json') }
  get evaluationFile(): string { return join(this.path, 'evaluation.json') }
  get bannedFile(): string { return join(this.path, 'banned.json') }
  get digestsFile(): string { return join(this.path, 'digests.jsonl') }
  get provenanceFile(): string { return join(this.path, 'provenance.json') }
  /** Signature of provenance.json, 64 bytes. */
  get signatureFile(): string { return join(this.path, 'provenance.json.sig') }
  get plotsFolder(): string { return join(this.path, 'plots') }
  /** Page about the run, for people. */
  get reportFile(): string { return join(this.path, 'report.html') }

  /** The present time, by the clock that its events have. */
  time(): Date { return this.#clock() }
  /** Writes report.html. @throws WriteError if the disk refuses */
  writeReport(page: string): Promise<void> { return writeWhole(this.reportFile, Buffer.from(page)) }
  /** Reads report.html. @returns undefined if there is none @throws RunError if it cannot be read */
  readReport(): Promise<string | undefined> { return readText(this.reportFile) }
  hasReport(): Promise<boolean> { return exists(this.reportFile) }

  writeConfig(config: RunConfig): Promise<void> { return writeJson(this.configFile, configSchema, config) }
  readConfig(): Promise<RunConfig> { return readJson(this.configFile, configSchema) }
  writeSummary(summary: Summary): Promise<void> { return writeJson(this.summaryFile, summarySchema, summary) }
  readSummary(): Promise<Summary> { return readJson(this.summaryFile, summarySchema) }
  writeEvaluation(evaluation: EvaluationView): Promise<void> { return writeJson(this.evaluationFile, evaluationSchema, evaluation) }
  /**
   * Reads the last evaluation.
   * @returns undefined if there is none: before the first epoch, and in runs of older versions
   * @throws RunError if the file is not as expected
   */
  async readEvaluation(): Promise<EvaluationView | undefined> {
    return (await exists(this.evaluationFile)) ? readJson(this.evaluationFile, evaluationSchema) : undefined
  }
  writeBanned(banned: Banned): Promise<void> { return writeJson(this.bannedFile, bannedSchema, banned) }
  /** Reads who was put out of the run; nobody, if the file does not exist. @throws RunError if it is not as expected */
  async readBanned(): Promise<Banned> {
    return (await exists(this.bannedFile)) ? readJson(this.bannedFile, bannedSchema) : []
  }
  /**
   * Writes provenance.json, and its signature beside it if `sign` is given.
   * @throws WriteError if the disk refuses
   */
  async writeProvenance(provenance: Provenance, sign: ((bytes: Uint8Array) => Buffer) | undefined): Promise<void> {
    await writeJson(this.provenanceFile, provenanceSchema, provenance)
    // A signature of what was there before is none of this.
    if (sign === undefined) await rm(this.signatureFile, { force: true })
    else await writeWhole(this.signatureFile, sign(await readFile(this.provenanceFile)))
  }
  /**
   * Reads provenance.json.
   * @returns undefined if there is none, in runs of older versions
   * @throws RunError if the file is not as expected
   */
  async readProvenance(): Promise<Provenance | undefined> {
    return (await exists(this.provenanceFile)) ? readJson(this.provenanceFile, provenanceSchema) : undefined
  }
  /**
   * Reads the chain of digests, and checks it.
   * @returns undefined if the run keeps none
   * @throws ChainError if the chain contradicts itself; RunError if the file cannot be read
   */
  async readChain(): Promise<Chain | undefined> {
    const text = await readText(this.digestsFile)
    return text === undefined ? undefined : chainOf(text, this.digestsFile)
  }
  readHistory(): Promise<HistoryLine[]> { return this.#history.read() }
  readEvents(): Promise<EventLine[]> { return this.#events.read() }
  followEvents(): LineFollower<EventLine> { return this.#events.follow() }
  /** Counts how often the run has been resumed. */
  countRestarts(): Promise<number> { return this.#events.count(({ event }) => event === 'resumed') }

  /**
   * Appends an epoch to the history, durably: its checkpoint is written afterwards.
   * @throws WriteError if the disk refuses; the line is then written with the next one
   */
  appendHistory(line: HistoryLine): Promise<void> {
    return this.#history.append(line)
  }

  /**
   * Appends an event to events.jsonl, with the current time.
   * @throws WriteError if the disk refuses; the line is then written with the next one
   */
  appendEvent(event: string, fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
    return this.#events.append({ time: this.#clock().toISOString(), event, ...fields })
  }

  /**
   * Writes the lines that wait because the disk refused them.
   * @throws WriteError if the disk still refuses
   */
  async flush(): Promise<void> {
    await Promise.all(this.#lines.map((lines) => lines.flush()))
  }

  /** Settles when no line of history, events or digests is being written any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#lines.map((lines) => lines.settled()))
  }

  /** Writes no line of history, events and digests any more, also none that waits because the disk refused it. */
  abandon(): void {
    for (const lines of this.#lines) lines.abandon()
  }

  /**
   * Repairs what a crash left: removes half-written files, and cuts half a last line off history, events and digests. It must be called before anything
   * is written, and only if no other process writes into the folder.
   * @returns what was done, one line each, for people
   */
  async repair(): Promise<string[]> {
    const cut = async (lines: JsonLines<unknown>): Promise<string[]> => {
      const bytes = await lines.cutHalfLine()
      return bytes === 0 ? [] : [`cut ${bytes} bytes of a half-written last line off ${basename(lines.file)}`]
    }
    const removed = (await Promise.all([this.path, this.checkpoints.path, this.plotsFolder].map(removeTemporaries))).flat()
    return [...removed.map((name) => `removed the half-written file ${name}`), ...(await cut(this.#history)), ...(await cut(this.#events)), ...(await cut(this.digests))]
  }

  /** Drops the epochs after `afterEpoch` from the history, since a resumed run will train them again. */
  async truncateHistory(afterEpoch: number): Promise<void> {
    await this.#history.cutFrom(({ epoch }) => epoch > afterEpoch)
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** True if a folder is that of a run. */
export async function isRunFolder(path: string): Promise<boolean> {
  const names = await readdir(path).catch(() => [] as string[])
  return RUN_MARKS.some((mark) => names.includes(mark))
}

/**
 * Creates a folder and its parents.
 * @param shown the path as the user gave it
 * @throws UsageError if the path is not a folder
 * @throws RunError if the folder cannot be created
 */
async function makeFolder(path: string, shown: string): Promise<void> {
  try {
    await makeFolders(path)
  } catch (error) {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && !found.isDirectory()) throw new UsageError(`--out ${shown} is not a folder: give another --out.`, { cause: error })
    throw new RunError(`${shown} cannot be made: ${messageOf(error)}.`, { cause: error })
  }
}

/**
 * Creates a folder like root/2025-01-31-235959, in local time. A number is appended if another run began in the same second.
 * @returns its absolute path
 */
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
