import { z } from 'zod'
import { exponentialOf, logarithmOf } from '../../shared/kit/exponential.ts'
import { sha256Of } from '../../shared/kit/sha256.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'

/** Most trials of a sweep: a grid that comes to more is a mistake. */
export const MOST_TRIALS = 1000
/** Significant digits of a real number that is drawn: more would only make it hard to read. */
const DIGITS = 4

const rising = ([low, high]: [number, number]): boolean => low < high
const NOT_RISING = 'expected low below high'
const range = z.tuple([z.number(), z.number()]).refine(rising, NOT_RISING)
const wholeRange = z.tuple([z.int32(), z.int32()]).refine(rising, NOT_RISING)
const values = z.array(z.unknown()).min(1)

/** Schema of how the value of one part is drawn. */
const drawnSchema = z.union(
  [
    values,
    z.strictObject({ choice: values }),
    z.strictObject({ uniform: range }),
    z.strictObject({ logUniform: range.refine(([low]) => low > 0, 'expected low above 0') }),
    z.strictObject({ whole: wholeRange }),
  ],
  'expected a list of values, {"choice": [...]}, {"uniform": [low, high]}, {"logUniform": [low, high]} with low above 0, or {"whole": [low, high]}, low below high',
)
export type Drawn = z.infer<typeof drawnSchema>

/** Schema of a search: which values the parts of the recipe take, by their names, as "lr" or "optimizer.weightDecay". */
export const searchSchema = z.discriminatedUnion('name', [
  /** Every combination of the values. */
  z.strictObject({ name: z.literal('grid'), over: z.record(z.string().min(1), z.array(z.unknown(), 'expected a list of values').min(1, 'expected a list of at least one value')) }),
  /** So many trials, whose values are drawn. */
  z.strictObject({ name: z.literal('random'), trials: z.int().min(1).max(MOST_TRIALS), seed: z.int().min(0).max(4294967295).default(0), over: z.record(z.string().min(1), drawnSchema) }),
])
export type Search = z.infer<typeof searchSchema>

/** The values of one trial, by the names of the parts that they are of. */
export type Settings = Readonly<Record<string, unknown>>

/** Counts the trials of a search. */
export function countTrials(search: Search): number {
  return search.name === 'random' ? search.trials : Object.values(search.over).reduce((product, { length }) => product * length, 1)
}

/**
 * Lists the settings of all trials: of a grid in the order of the file, the last part changing fastest. A drawn value depends on the search's seed, the trial's number and
 * the part's name alone, so that a search with more trials, or over more parts, begins with the same ones.
 */
export function settingsOf(search: Search): Settings[] {
  if (search.name === 'grid') {
    return Object.entries(search.over).reduce<Settings[]>((settings, [part, values]) => settings.flatMap((each) => values.map((value) => ({ ...each, [part]: value }))), [{}])
  }
  return Array.from({ length: search.trials }, (_, trial) =>
    Object.fromEntries(Object.entries(search.over).map(([part, drawn]) => [part, draw(drawn, new KeyedRandom(search.seed, Purpose.search, trial, numberOf(part)))])))
}

/** A number that stands for a name, whatever other names there are. */
function numberOf(name: string): number {
  return Number.parseInt(sha256Of(name).slice(0, 8), 16)
}

function draw(drawn: Drawn, random: KeyedRandom): unknown {
  if (Array.isArray(drawn)) return random.pick(drawn)
  if ('choice' in drawn) return random.pick(drawn.choice)
  if ('whole' in drawn) return drawn.whole[0] + random.below(drawn.whole[1] - drawn.whole[0] + 1)
  if ('uniform' in drawn) return rounded(random.between(...drawn.uniform), drawn.uniform)
  const [low, high] = drawn.logUniform
  return rounded(high * exponentialOf(random.uniform() * (logarithmOf(low) - logarithmOf(high))), drawn.logUniform)
}

/** Rounds a number to few digits, within its range. */
function rounded(value: number, [low, high]: readonly [number, number]): number {
  return Math.min(high, Math.max(low, Number(value.toPrecision(DIGITS))))
}
