import { isDeepStrictEqual } from 'node:util'
import { UsageError } from '../../shared/kit/errors.ts'
import { valueText } from '../../live/report/run_sections.ts'
import { shorten } from '../../shared/pictures/text.ts'
import { scheduleOver } from '../../shared/optim/schedule.ts'
import { parseRecipe, readModel, type PartialRecipe } from '../../shared/recipe/asked.ts'
import { article } from '../../shared/recipe/presets.ts'
import { checkRecipe } from '../../shared/recipe/recipe.ts'
import { countTrials, MOST_TRIALS, settingsOf, type Settings } from './search.ts'
import type { SweepSpec } from './spec.ts'

/** A recipe that is tried, with each of the seeds. */
export interface Trial {
  /** From 1. */
  number: number
  settings: Settings
  /** All parts that are not the article's. */
  recipe: PartialRecipe
  epochs: number
}

/** Parts that a search must leave alone, and why. */
const FIXED: Readonly<Record<string, string>> = {
  seed: 'say it by "seeds": every trial is trained with each of them',
  testFraction: 'trials that are tested on different images cannot be compared',
}
/** Longest value in a line about a trial, in characters. */
const LONGEST_VALUE = 60
/** Most problems that are told at once: every trial may have the same. */
const MOST_PROBLEMS = 10

/**
 * Makes the trials of a sweep, and checks their recipes before any of them is trained.
 * @throws UsageError that names the part, its value, and the first trial that has it
 */
export function trialsOf(spec: SweepSpec, file: string): Trial[] {
  const parts = Object.keys(spec.search.over)
  for (const part of parts) {
    const reason = FIXED[part] ?? (part === 'epochs' && spec.halving !== null ? 'with halving, every trial has the same number of epochs' : undefined)
    if (reason !== undefined) throw new UsageError(`${file}: search.over.${part}: ${reason}.`)
  }
  if ('seed' in spec.base) throw new UsageError(`${file}: seed: ${FIXED['seed']}.`)
  const count = countTrials(spec.search)
  if (count > MOST_TRIALS) throw new UsageError(`${file}: search.over: comes to ${count} trials, where at most ${MOST_TRIALS} may be: leave values out, or draw some of them by {"name": "random", "trials": ...}.`)
  /** Each problem with the first trial that has it. */
  const found = new Map<string, string>()
  const trials = settingsOf(spec.search).map((settings, index): Trial => {
    const { recipe, problems } = recipeOf(spec.base, settings)
    for (const problem of problems) if (!found.has(problem)) found.set(problem, `trial ${index + 1} (${settingsText(settings)}): ${problem}`)
    return { number: index + 1, settings, recipe, epochs: recipe.epochs ?? article.epochs }
  })
  const tooLate = spec.halving?.epochs.find((rung) => trials.some(({ epochs }) => rung >= epochs))
  const problems = [...found.values()]
  if (tooLate !== undefined) problems.push(`halving.epochs: ${tooLate}: expected less than the recipe's epochs, ${trials[0].epochs}.`)
  if (problems.length > 0) throw new UsageError(`${file}: ${[...problems.slice(0, MOST_PROBLEMS), ...(problems.length > MOST_PROBLEMS ? [`and ${problems.length - MOST_PROBLEMS} more`] : [])].join('\n')}`)
  return trials
}

/** Formats the settings of a trial in a line: "lr 0.001, optimizer adamw (weightDecay 0.05)". */
export function settingsText(settings: Settings): string {
  const text = Object.entries(settings).map(([part, value]) => `${part} ${shorten(valueText(value), LONGEST_VALUE)}`)
  return text.length === 0 ? 'the recipe as it is' : text.join(', ')
}

/** Puts a recipe together. @returns with it, a line for each part that is wrong */
function recipeOf(base: Readonly<Record<string, unknown>>, settings: Settings): { recipe: PartialRecipe; problems: string[] } {
  const problems: string[] = []
  const whole: Record<string, unknown> = structuredClone({ ...article })
  // A part comes before its own settings, which are set in it.
  const all = [...Object.entries(base).sort(byDepth), ...Object.entries(settings).sort(byDepth)]
  for (const [part, value] of all) {
    const problem = setIn(whole, part.split('.'), structuredClone(value))
    if (problem !== undefined) problems.push(`${part}: ${problem}.`)
  }
  const parsed = parseRecipe(whole, problems)
  if (problems.length > 0) return { recipe: parsed, problems }
  const recipe = { ...article, ...parsed }
  try {
    checkRecipe(recipe)
    readModel(recipe.model)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    problems.push(error.message)
  }
  // A schedule is as long as a whole run, also where halving ends one earlier; so a run that goes on is the run that was never halted.
  const changed = Object.entries({ ...parsed, schedule: scheduleOver(recipe.schedule, recipe.epochs) }).filter(([key, value]) => !isDeepStrictEqual(value, article[key as keyof typeof article]))
  return { recipe: Object.fromEntries(changed), problems }
}

const byDepth = ([a]: [string, unknown], [b]: [string, unknown]): number => a.split('.').length - b.split('.').length

/** Sets a value at a place in an object. @returns what is wrong with the place */
function setIn(target: unknown, [name, ...rest]: readonly string[], value: unknown): string | undefined {
  if (typeof target !== 'object' || target === null) return `there is nothing with settings at ${JSON.stringify(target)}, so that .${name} cannot be set`
  const at = target as Record<string, unknown>
  if (Array.isArray(target) && !Object.hasOwn(target, name)) return `expected the place of one of ${target.length} items, from 0, and not "${name}"`
  if (rest.length > 0) return Object.hasOwn(at, name) ? setIn(at[name], rest, value) : `there is no ${name} with settings`
  at[name] = value
  return undefined
}
