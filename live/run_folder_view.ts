import { stat } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { RunError } from '../shared/kit/errors.ts'
import { layoutOf } from '../shared/model/layout.ts'
import { buildNetwork } from '../shared/model/models.ts'
import { shownPath } from '../shared/kit/paths.ts'
import type { Recipe } from '../shared/recipe/table.ts'
import { knownRecipe } from '../shared/recipe/stored.ts'
import type { LineFollower } from '../shared/run_folder/line_follower.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import type { EventLine, HistoryLine } from '../shared/run_folder/schemas.ts'
import { RunEvents } from './run_events.ts'
import type { RunFacts, RunProgress, RunState, RunView } from './view.ts'

/** A run whose files have not been written to for so long, or for twice its longest epoch if that is longer, counts as ended. */
const QUIET_MS = 15 * 60_000
const count = z.int().min(0).catch(0)

/** Facts of config.json besides the recipe; a run of another version may have left some of them out. */
const factsSchema = z.object({ classes: z.array(z.string()).catch([]), trainImages: count, testImages: count })

const positionSchema = z.object({ epoch: z.int().min(1), stepInEpoch: z.int().min(0), step: z.int().min(0) })

/**
 * The view of a run from its folder, whether the run has finished, broke off, or goes on in another process. Its events are read once each, since
 * there may be millions of them. Parts that are missing, or of another version of Herd, are left out.
 */
export class RunFolderView {
  readonly #folder: RunFolder
  /** Undefined if events are not read. */
  readonly #lines: LineFollower<EventLine> | undefined
  #events = new RunEvents()

  /** @param events false: what happened is left out, and how the run's last process ended is told from other files */
  constructor(folder: RunFolder, { events = true }: { events?: boolean } = {}) {
    this.#folder = folder
    this.#lines = events ? folder.followEvents() : undefined
  }

  /** Reads how the run is now. @throws RunError if a file cannot be read, or history or events are damaged */
  async read(now: Date): Promise<RunView> {
    const folder = this.#folder
    const [facts, history, evaluation, summary, touched, hasReport] = await Promise.all([
      readFacts(folder), folder.readHistory(), orNull(folder.readEvaluation()), orNull(folder.readSummary()), lastTouched(folder), folder.hasReport(), this.#readEvents(),
    ])
    const events = this.#events
    const goesOn = now.getTime() - touched < Math.max(QUIET_MS, 2000 * history.reduce((longest, { seconds }) => Math.max(longest, seconds), 0))
    const state = stateOf(events, summary !== null, goesOn)
    return {
      facts, state, startedAt: events.begun?.time ?? new Date(touched).toISOString(), progress: progressOf(facts, state, history, events.noted), history, members: [], ...events.lists,
      evaluation: evaluation ?? null, summary: state === 'finished' ? summary : null, ...(hasReport ? { report: true } : {}),
    }
  }

  async #readEvents(): Promise<void> {
    await this.#lines?.read({
      take: (line) => this.#events.take(line),
      beginAgain: () => {
        this.#events = new RunEvents()
      },
    })
  }
}

async function readFacts(folder: RunFolder): Promise<RunFacts> {
  const config = (await orNull(folder.readConfig())) ?? {}
  const facts = factsSchema.parse(config)
  const recipe = knownRecipe(config)
  const stepsPerEpoch = recipe.batch === undefined ? 0 : Math.ceil(facts.trainImages / recipe.batch)
  return { name: path.basename(folder.path), folder: shownPath(folder.path), recipe, ...facts, parameters: parametersOf(recipe, facts.classes.length), stepsPerEpoch }
}

/** Number of the network's parameters; 0 if this version of Herd does not know the network. */
function parametersOf({ model, imageSize }: Partial<Recipe>, classes: number): number {
  if (model === undefined || imageSize === undefined) return 0
  try {
    return layoutOf(buildNetwork(model, { imageSize, classes })).size
  } catch {
    return 0
  }
}

/** Returns null if a file does not exist or is not as expected. */
async function orNull<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof RunError) return null
    throw error
  }
}

/** Time at which the run's process last wrote something, in milliseconds since 1970; 0 if it wrote nothing. */
async function lastTouched(folder: RunFolder): Promise<number> {
  const files = [folder.configFile, folder.historyFile, folder.eventsFile, folder.evaluationFile, folder.checkpoints.path]
  const times = await Promise.all(files.map((file) => stat(file).then(({ mtimeMs }) => mtimeMs, () => 0)))
  return Math.max(...times)
}

/** State of the run: how its last process ended, or, if it did not end in order, whether it still goes on. */
function stateOf({ turn, last }: RunEvents, hasSummary: boolean, goesOn: boolean): RunState {
  if (turn === 'finished' || turn === 'stopped' || turn === 'failed') return turn
  if (turn === undefined && hasSummary) return 'finished'
  if (!goesOn) return 'interrupted'
  return last === 'waiting' ? 'waiting' : 'training'
}

/** @param noted last event that says how far the run is */
function progressOf({ recipe, stepsPerEpoch }: RunFacts, state: RunState, history: readonly HistoryLine[], noted: EventLine | undefined): RunProgress {
  const { epochs = 0 } = knownRecipe(recipe)
  const line = history.at(-1)
  const unknown = { imagesPerSecond: state === 'training' ? (line?.imagesPerSecond ?? null) : null, epochSecondsLeft: null, runSecondsLeft: null, testing: null }
  const { success, data: at } = positionSchema.safeParse(noted)
  // An event of a step has the step's index in its epoch, from 0.
  if (success && at.step > (line?.step ?? 0)) return { ...unknown, ...at, stepInEpoch: at.stepInEpoch + Number(noted?.event === 'step') }
  if (line === undefined) return { ...unknown, epoch: 1, stepInEpoch: 0, step: 0 }
  const over = state === 'finished' || line.epoch >= epochs
  return { ...unknown, epoch: over ? line.epoch : line.epoch + 1, stepInEpoch: over ? stepsPerEpoch : 0, step: line.step }
}
