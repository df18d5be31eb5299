import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { normalisationOf, withNormalisation, type TransformList } from '../data/transforms/transforms.ts'
import { UsageError } from '../kit/errors.ts'
import { scheduleOver } from '../optim/schedule.ts'
import { recipeKeys, recipeShape, recipeTable, type AskedRecipe, type Recipe, type RecipeKey } from './table.ts'

/** A whole recipe, every value decided. */
export const recipeSchema = z.strictObject(recipeShape)

/** The ingredients among other options. */
export function recipeOf(options: Recipe): Recipe
export function recipeOf(options: AskedRecipe): AskedRecipe
export function recipeOf(options: AskedRecipe): AskedRecipe {
  return Object.fromEntries(recipeKeys.map((key) => [key, options[key]])) as AskedRecipe
}

/**
 * Rules between ingredients.
 * @throws UsageError that names them and what to do.
 */
export function checkRecipe({ lanes, batch }: Pick<AskedRecipe, 'lanes' | 'batch'>): void {
  if (lanes > batch) throw new UsageError(`--lanes ${lanes}: expected at most --batch ${batch}, since each lane needs an image.`)
}

/**
 * The recipe of a run that is resumed: what it began with, but for what may change.
 * @param asked what the command line, the environment and recipe files come to
 * @param given the ingredients that they name
 * @param begun of the checkpoint
 * @throws UsageError when another value is asked for than the run began with.
 */
export function resumedRecipe(asked: AskedRecipe, given: ReadonlySet<string>, begun: Recipe, file: string): Recipe {
  const resumed: Record<string, unknown> = { ...begun }
  for (const key of recipeKeys) {
    if (!given.has(key)) continue
    if (recipeTable[key].mayChange) resumed[key] = asked[key]
    else if (asked[key] !== 'auto' && !sameValue(key, asked, begun)) {
      throw new UsageError(`${asOption(key, asked[key])}: the run of ${file} began with ${shown(begun[key])}; leave the option out to resume it.`)
    }
  }
  return recipeSchema.parse(resumed)
}

/** What is asked for and leaves something to the run means what the run has come to. */
function sameValue(key: RecipeKey, asked: AskedRecipe, begun: Recipe): boolean {
  const meant = { ...asked, augmentation: completed(asked.augmentation, begun.augmentation), evaluation: completed(asked.evaluation, begun.evaluation), schedule: scheduleOver(asked.schedule, lengthOf(begun)) }
  return isDeepStrictEqual(JSON.parse(JSON.stringify(meant[key])), JSON.parse(JSON.stringify(begun[key])))
}

function lengthOf({ schedule, epochs }: Recipe): number {
  return 'epochs' in schedule ? (schedule.epochs ?? epochs) : epochs
}

function completed(asked: TransformList, begun: TransformList): TransformList {
  const { mean, std } = normalisationOf(begun)
  return mean === undefined || std === undefined ? asked : withNormalisation(asked, { mean, std })
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** An ingredient as people would give it on the command line. */
export function asOption(key: RecipeKey, value: unknown): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${shown(value)}`
}
