import { CheckpointError } from '../kit/errors.ts'
import { article } from './presets.ts'
import { asOption, recipeSchema } from './recipe.ts'
import { recipeKeys, recipeTable, type Recipe } from './table.ts'

/** Returns the unchecked recipe in a stored configuration. Older runs have its ingredients among all other options. */
export function storedIn(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { recipe } = config
  return typeof recipe === 'object' && recipe !== null ? (recipe as Record<string, unknown>) : config
}

/** Returns the ingredients of a stored configuration that this version of Herd understands; others are left out. */
export function knownRecipe(config: Readonly<Record<string, unknown>>): Partial<Recipe> {
  const stored = storedIn(config)
  const known = recipeKeys.map((key) => [key, recipeTable[key].value.safeParse(stored[key])] as const).filter(([key, { success }]) => success && stored[key] !== undefined)
  return Object.fromEntries(known.map(([key, { data }]) => [key, data]))
}

/**
 * Returns the recipe that a checkpoint's run began with. Ingredients that an older checkpoint lacks have the values of `article`.
 * @param file the checkpoint's file, for error messages
 * @throws CheckpointError that names what this version of Herd does not understand
 */
export function recipeOfCheckpoint(config: Readonly<Record<string, unknown>>, file: string): Recipe {
  const stored = storedIn(config)
  const named = Object.fromEntries(recipeKeys.filter((key) => stored[key] !== undefined).map((key) => [key, stored[key]]))
  const parsed = recipeSchema.safeParse({ ...article, ...named })
  if (parsed.success) return parsed.data
  const key = recipeKeys.find((each) => each === parsed.error.issues[0].path[0]) ?? 'model'
  throw new CheckpointError(`${file} was begun with ${asOption(key, stored[key])}, which this version of Herd does not have: expected ${recipeTable[key].option.expects}. Go on with the version that began it, or begin a new run.`)
}
