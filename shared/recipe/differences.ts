import { isDeepStrictEqual } from 'node:util'
import { article } from './presets.ts'
import { sameValue } from './recipe.ts'
import { recipeKeys, type Recipe, type RecipeKey } from './table.ts'

/** A part of a run's recipe beside its default. */
export interface RecipePart {
  key: RecipeKey
  value: unknown
  /** Undefined if the machine decides. */
  standard: unknown
  isStandard: boolean
}

/** Lists the parts of a recipe, those that are not as by default first. Parts that are missing, in a run of another version, are left out. */
export function partsOf(recipe: Partial<Recipe>): RecipePart[] {
  const standard = { ...article, engine: 'auto' as const }
  const whole = { ...article, engine: 'native' as const, ...recipe }
  const parts = recipeKeys.filter((key) => recipe[key] !== undefined).map((key): RecipePart => {
    const fallback = standard[key] === 'auto' ? undefined : standard[key]
    return { key, value: recipe[key], standard: fallback, isStandard: fallback === undefined || sameValue(key, standard, whole) }
  })
  return [...parts.filter(({ isStandard }) => !isStandard), ...parts.filter(({ isStandard }) => isStandard)]
}

/** Adds what a recipe of an older version lacks, which that version did as is now the default. Of a recipe that is not known at all, nothing is. */
export function completed(recipe: Partial<Recipe>): Partial<Recipe> {
  return Object.keys(recipe).length === 0 ? recipe : { ...article, ...recipe }
}

/** Names the parts in which recipes are not all alike. */
export function unequalParts(recipes: readonly Partial<Recipe>[]): RecipeKey[] {
  return recipeKeys.filter((key) => recipes.some((recipe) => !isDeepStrictEqual(recipe[key], recipes[0][key])))
}
