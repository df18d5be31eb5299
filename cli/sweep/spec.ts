import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { messageOf, UsageError } from '../../shared/kit/errors.ts'
import { parseJsonFile } from '../../shared/kit/json.ts'
import { describeIssue, readRecipe } from '../../shared/recipe/asked.ts'
import { searchSchema } from './search.ts'

/** A field of a sweep's file. */
interface Field<T> {
  schema: z.ZodType<T>
  /** What is expected of the field as a whole, for errors. */
  expects: string
}

const field = <T>(expects: string, schema: z.ZodType<T>): Field<T> => ({ expects, schema })

const seed = z.int().min(0).max(4294967295)
const ascending = (epochs: readonly number[]): boolean => epochs.every((epoch, index) => index === 0 || epoch > epochs[index - 1])

/** All fields of a sweep's file; one that has no default must be there. */
const fields = {
  data: field('the folder of images, as --data of the coordinator', z.string().min(1)),
  recipe: field('the name of a recipe that comes with Herd, or a JSON file', z.string().min(1).default('article')),
  overrides: field('an object of parts of the recipe that all trials have, e.g. {"epochs": 20}', z.record(z.string().min(1), z.unknown()).default({})),
  search: field('{"name": "grid", "over": {...}} or {"name": "random", "trials": 20, "over": {...}}', searchSchema),
  seeds: field('how many seeds each trial is trained with, or a list of them', z.union([z.int().min(1).max(100), z.array(seed).min(1).max(100).refine((list) => new Set(list).size === list.length)]).default(1)),
  validation: field('the share of the training images that trials are compared by, above 0 and below 1', z.number().gt(0).lt(1).default(0.2)),
  measure: field('"accuracy" or "loss"', z.enum(['accuracy', 'loss']).default('accuracy')),
  halving: field(
    '{"epochs": [2, 6], "keep": 0.33}, or null', 
    z.strictObject({
      epochs: z.array(z.int().min(1)).min(1).refine(ascending, 'expected ascending numbers of epochs'),
      keep: z.number().gt(0).lt(1).default(1 / 3),
    }).nullable().default(null),
  ),
  parallel: field('how many runs go on at the same time, from 1 to 64', z.int().min(1).max(64).default(1)),
  localWorkers: field('how many workers each run has, from 1 to 256, or null for a single node', z.int().min(1).max(256).nullable().default(null)),
  gpu: field('the index of the first GPU, from 0 to 255, or null', z.int().min(0).max(255).nullable().default(null)),
}

type Fields = typeof fields
type Values = { [K in keyof Fields]: z.infer<Fields[K]['schema']> }

/** A sweep as its file asks for it, with defaults filled in. */
export interface SweepSpec extends Omit<Values, 'recipe' | 'overrides' | 'seeds'> {
  /** Parts of the recipe that all trials begin from; by names with dots, single settings of parts. */
  base: Readonly<Record<string, unknown>>
  seeds: readonly number[]
}

/**
 * Reads a sweep's file, and the recipe that it names.
 * @throws UsageError that names each field that is wrong, its value and what was expected
 */
export function readSpec(file: string): SweepSpec {
  let json: unknown
  try {
    json = parseJsonFile(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`${file} cannot be read as JSON: ${messageOf(error)}.`)
  }
  return parseSpec(json, file)
}

/**
 * Checks what a sweep's file says.
 * @param file name of the file, for errors
 * @throws UsageError as `readSpec`
 */
export function parseSpec(json: unknown, file: string): SweepSpec {
  const given = z.record(z.string(), z.unknown()).safeParse(json)
  if (!given.success) throw new UsageError(`${file}: expected an object with data and search; docs/sweep.md has one.`)
  const names = Object.keys(fields)
  const problems = Object.keys(given.data).filter((name) => !names.includes(name)).map((name) => `${name}: there is no such field; the fields are ${names.join(', ')}.`)
  const values: Record<string, unknown> = {}
  for (const [name, { schema, expects }] of Object.entries<Field<unknown>>(fields)) {
    const result = schema.safeParse(given.data[name])
    if (result.success) values[name] = result.data
    else problems.push(...result.error.issues.map((issue) => describeIssue(name, given.data[name], issue, expects)))
  }
  if (problems.length > 0) throw new UsageError(`${file}: ${problems.join('\n')}`)
  const { recipe, overrides, seeds, ...others } = values as Values
  const base = { ...readRecipe(recipe), ...overrides }
  return { ...others, base, seeds: typeof seeds === 'number' ? Array.from({ length: seeds }, (_, index) => index) : seeds }
}
