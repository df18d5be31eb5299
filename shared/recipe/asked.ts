import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { messageOf, UsageError } from '../kit/errors.ts'
import { parseJsonFile } from '../kit/json.ts'
import { modelNames, nameOfModel, type Model } from '../model/models.ts'
import { networkTemplateSchema } from '../model/template.ts'
import { presets } from './presets.ts'
import { recipeKeys, recipeTable, type AskedRecipe, type Ingredient, type RecipeKey } from './table.ts'

/** A recipe that gives values for some ingredients only. */
export type PartialRecipe = Partial<AskedRecipe>

/**
 * Reads a recipe by its name or from a JSON file.
 * @throws UsageError if neither exists, or with the place of each value that is wrong
 */
export function readRecipe(nameOrFile: string): PartialRecipe {
  const problems: string[] = []
  const json: unknown = Object.hasOwn(presets, nameOrFile)
    ? presets[nameOrFile as keyof typeof presets]
    : readJson(`--recipe ${nameOrFile}`, nameOrFile, `a recipe that comes with Herd (${Object.keys(presets).join(', ')})`)
  const recipe = parseRecipe(json, problems)
  if (problems.length > 0) throw new UsageError(`--recipe ${nameOrFile}: ${problems.join('\n')}`)
  return recipe
}

/**
 * Reads a model as options give it: the name of a built-in network, or a JSON file with its layers.
 * @param named what the user has written, for errors
 * @throws UsageError if it is neither, or a layer is not as expected
 */
export function readModel(model: Model, named = `--model ${nameOfModel(model)}`): Model {
  if (typeof model !== 'string' || modelNames.includes(model)) return model
  const json = readJson(named, model, `a network that comes with Herd (${modelNames.join(', ')})`)
  const parsed = networkTemplateSchema.safeParse(json)
  if (!parsed.success) throw new UsageError(`${named}: ${parsed.error.issues.map((issue) => describeIssue('network', json, issue, 'an object with name and layers')).join('\n')}`)
  return parsed.data
}

function readJson(option: string, file: string, named: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`${option}: neither ${named} nor a file that can be read: ${messageOf(error)}.`)
  }
  try {
    return parseJsonFile(text)
  } catch (error) {
    throw new UsageError(`${option} is not JSON: ${messageOf(error)}.`)
  }
}

/**
 * Parses JSON that has any part of a recipe.
 * @param problems receives a line for each problem: the place, the value, what was expected
 * @returns the ingredients that are valid
 */
export function parseRecipe(json: unknown, problems: string[]): PartialRecipe {
  const parsed = z.record(z.string(), z.unknown()).safeParse(json)
  if (!parsed.success || Array.isArray(json)) {
    problems.push('expected an object with any parts of a recipe, e.g. {"batch": 32}.')
    return {}
  }
  const recipe: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(parsed.data)) {
    if (!Object.hasOwn(recipeTable, key)) {
      problems.push(`${key}: there is no such part of a recipe; the parts are ${recipeKeys.join(', ')}.`)
      continue
    }
    const { option, value: schema, asked = schema }: Ingredient<unknown, unknown> = recipeTable[key as RecipeKey]
    const result = asked.safeParse(value)
    if (result.success) recipe[key] = result.data
    else problems.push(...result.error.issues.map((issue) => describeIssue(key, value, issue, option.expects)))
  }
  return recipe
}

/**
 * Formats one problem that a schema has found, as "augmentation[1].degrees: 400: expected ...".
 * @param key name of the value that was checked
 * @param expects what is expected of the value as a whole
 */
export function describeIssue(key: string, value: unknown, issue: z.core.$ZodIssue, expects: string): string {
  const place = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  const found = issue.path.reduce<unknown>((at, part) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[part] : undefined), value)
  const shown = JSON.stringify(found) ?? 'nothing'
  return `${key}${place}: ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}: ${place === '' ? `expected ${expects}` : issue.message}.`
}

/**
 * Combines a recipe with options that were given one by one, which take precedence.
 * @param options all options, with defaults for those that were not given
 * @param given names of the options that the user gave
 * @returns the options, and the names of all that the user gave in one way or the other
 * @throws UsageError if the recipe or the model cannot be read
 */
export function withRecipe<O extends AskedRecipe & { recipe: string | undefined }>(options: O, given: ReadonlySet<string>): { options: O; given: ReadonlySet<string> } {
  const recipe = options.recipe === undefined ? {} : readRecipe(options.recipe)
  const added = Object.entries(recipe).filter(([key]) => !given.has(key))
  const all = { ...options, ...Object.fromEntries(added) }
  return { options: { ...all, model: readModel(all.model) }, given: new Set([...given, ...added.map(([key]) => key)]) }
}
