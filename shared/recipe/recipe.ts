import { basename } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { normalisationOf, withNormalisation, type TransformList } from '../data/transforms/transforms.ts'
import { portableObstacle } from '../engine/portable.ts'
import { UsageError } from '../kit/errors.ts'
import type { AskedInit, Init } from '../model/initial.ts'
import { scheduleOver } from '../optim/schedule.ts'
import { recipeKeys, recipeShape, recipeTable, type AskedRecipe, type Recipe, type RecipeKey } from './table.ts'

/** Schema of a complete recipe, in which every value is decided. */
export const recipeSchema = z.strictObject(recipeShape)

/** Picks the ingredients out of a program's options. */
export function recipeOf(options: Recipe): Recipe
export function recipeOf(options: AskedRecipe): AskedRecipe
export function recipeOf(options: AskedRecipe): AskedRecipe {
  return Object.fromEntries(recipeKeys.map((key) => [key, options[key]])) as AskedRecipe
}

/**
 * Checks the rules between ingredients.
 * @throws UsageError that names them and says what to do
 */
export function checkRecipe({ lanes, batch, numerics, precision, threads }: Pick<AskedRecipe, 'lanes' | 'batch' | 'numerics' | 'precision' | 'threads'>): void {
  const obstacle = numerics === 'portable' ? portableObstacle({ precision, threads, onGpu: false }) : undefined
  if (obstacle !== undefined) throw new UsageError(obstacle)
  if (lanes > batch) throw new UsageError(`--lanes ${lanes}: expected at most --batch ${batch}, since each lane needs an image.`)
}

/**
 * Determines the recipe of a run that is resumed: the one it began with, except for ingredients that may change.
 * @param asked recipe from the command line, the environment and recipe files
 * @param given names of the ingredients that the user gave there
 * @param begun recipe in the checkpoint
 * @param file the checkpoint's file, for error messages
 * @throws UsageError if another value is asked for than the run began with
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

/**
 * True if the value that is asked for equals the one that the run began with. Details that the user leaves open (normalisation, a schedule's
 * length) are taken from the run.
 */
export function sameValue(key: RecipeKey, asked: AskedRecipe, begun: Recipe): boolean {
  const meant = { ...asked, init: asBegun(asked.init, begun.init), augmentation: completed(asked.augmentation, begun.augmentation), evaluation: completed(asked.evaluation, begun.evaluation), schedule: scheduleOver(asked.schedule, lengthOf(begun)) }
  return isDeepStrictEqual(JSON.parse(JSON.stringify(meant[key])), JSON.parse(JSON.stringify(begun[key])))
}

/** Returns what a run began with if it is asked for by the name of the same file: a resumed run does not need the file, which may be gone. */
function asBegun(asked: AskedInit, begun: Init): AskedInit {
  return typeof asked === 'string' && typeof begun === 'object' && basename(asked) === begun.file ? begun : asked
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

/** Formats an ingredient as an option of the command line. */
export function asOption(key: RecipeKey, value: unknown): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${shown(value)}`
}
