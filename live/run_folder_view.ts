import { stat } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { RunError } from '../shared/kit/errors.ts'
import { layoutOf } from '../shared/model/layout.ts'
import { buildNetwork } from '../shared/model/models.ts'
import { shownPath } from '../shared/kit/paths.ts'
import type { Recipe } from '../shared/recipe/table.ts'
import { knownRecipe } from '../shared/recipe/stored.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import type { EventLine, HistoryLine } from '../shared/run_folder/schemas.ts'
import { describeEvent } from './event_text.ts'
import { patched } from './patch.ts'
import type { LaneStrip, RunFacts, RunProgress, RunState, RunView, StepPoint } from './view.ts'

/** A run whose files have not been written to for so long, or for twice its longest epoch if that is longer, counts as ended. */
const QUIET_MS = 15 * 60_000
/** Types of events that are not listed: they are shown as figures, curves and strips, or are too many to read. */
const NOT_IN_WORDS: ReadonlySet<string> = new Set(['step', 'dealt', 'takenOver', 'dropped', 'evaluating', 'testing', 'epoch'])

const count = z.int().min(0).catch(0)

/** Facts of config.json besides the recipe; a run of another version may have left some of them out. */
const factsSchema = z.object({ classes: z.array(z.string()).catch([]), trainImages: count, testImages: count })

const stepEventSchema = z.object({
  event: z.literal('step'),
  step: z.int().min(0),
  samples: z.number().min(0),
  seconds: z.number().positive(),
  loss: z.number().nullable(),
  accuracy: z.number(),
  gradientNorm: z.number().nullable().default(null),
  computedBy: z.array(z.string()).optional(),
})
const positionSchema = z.object({ epoch: z.int().min(1), stepInEpoch: z.int().min(0), step: z.int().min(0) })

/**
 * Reads the view of a run from its folder, whether the run has finished, broke off, or goes on in another process. Parts that
 * are missing, or of another version of Herd, are left out.
 * @throws RunError if a file cannot be read, or history or events are damaged.
 */
export async function readRunView(folder: RunFolder, now: Date): Promise<RunView> {
  const [facts, history, events, evaluation, summary, touched] = await Promise.all([
    readFacts(folder), folder.readHistory(), folder.readEvents(), orNull(folder.readEvaluation()), orNull(folder.readSummary()), lastTouched(folder),
  ])
  const goesOn = now.getTime() - touched < Math.max(QUIET_MS, 2000 * Math.max(0, ...history.map(({ seconds }) => seconds)))
  const state = stateOf(events, summary !== null, goesOn)
  const begun = events.findLast(({ event }) => event === 'started') ?? events.at(0)
  const view: RunView = {
    facts, state, startedAt: begun?.time ?? new Date(touched).toISOString(), progress: progressOf(facts, state, history, events), history, steps: [], members: [], strips: [],
    evaluation: evaluation ?? null, events: [], summary: state === 'finished' ? summary : null,
  }
  const newEvents = events.filter(({ event }) => !NOT_IN_WORDS.has(event)).map(({ time, event, ...fields }) => ({ time, kind: event, ...describeEvent(event, fields) }))
  return patched(view, { newEvents, ...stepsOf(events) })
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
function stateOf(events: readonly EventLine[], hasSummary: boolean, goesOn: boolean): RunState {
  const last = events.findLast(({ event }) => ['started', 'finished', 'stopped', 'failed'].includes(event))?.event
  if (last === 'finished' || last === 'stopped' || last === 'failed') return last
  if (last === undefined && hasSummary) return 'finished'
  if (!goesOn) return 'interrupted'
  return events.at(-1)?.event === 'waiting' ? 'waiting' : 'training'
}

function progressOf({ recipe, stepsPerEpoch }: RunFacts, state: RunState, history: readonly HistoryLine[], events: readonly EventLine[]): RunProgress {
  const { epochs = 0 } = knownRecipe(recipe)
  const line = history.at(-1)
  const unknown = { imagesPerSecond: state === 'training' ? (line?.imagesPerSecond ?? null) : null, epochSecondsLeft: null, runSecondsLeft: null, testing: null }
  const noted = events.findLast(({ event }) => event === 'step' || event === 'checkpoint')
  const { success, data: at } = positionSchema.safeParse(noted)
  // An event of a step has the step's index in its epoch, from 0.
  if (success && at.step > (line?.step ?? 0)) return { ...unknown, ...at, stepInEpoch: at.stepInEpoch + Number(noted?.event === 'step') }
  if (line === undefined) return { ...unknown, epoch: 1, stepInEpoch: 0, step: 0 }
  const over = state === 'finished' || line.epoch >= epochs
  return { ...unknown, epoch: over ? line.epoch : line.epoch + 1, stepInEpoch: over ? stepsPerEpoch : 0, step: line.step }
}

/** Points of the curves, and lanes of the workers; only runs with --step-events have them. */
function stepsOf(events: readonly EventLine[]): { newSteps: StepPoint[]; newStrips: LaneStrip[] } {
  let newSteps: StepPoint[] = []
  const newStrips: LaneStrip[] = []
  for (const event of events) {
    // Steps after the checkpoint from which a run was resumed were done again.
    if (event.event === 'resumed') newSteps = newSteps.filter(({ step }) => step <= Number(event['step']))
    const { success, data } = stepEventSchema.safeParse(event)
    if (!success) continue
    const { step, samples, seconds, loss, accuracy, gradientNorm, computedBy } = data
    newSteps.push({ step, loss, accuracy, gradientNorm, imagesPerSecond: samples / seconds })
    if (computedBy !== undefined) newStrips.push({ step, computedBy })
  }
  return { newSteps, newStrips }
}
