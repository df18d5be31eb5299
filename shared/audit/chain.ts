import { z } from 'zod'
import { RunError } from '../kit/errors.ts'
import { sha256Of } from '../kit/sha256.ts'
import { auditedStepsSchema, laneDigestSchema } from '../lanes/audited_steps.ts'
import { recipeKeys, recipeTable, type Recipe } from '../recipe/table.ts'
import { merkleRoot } from './merkle.ts'

const count = z.int().min(0)
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits')

/** First line of digests.jsonl: what the run claims to be. */
const beginningSchema = z.strictObject({
  /** Version of the format. */
  digests: z.literal(1),
  /** Number of steps that had been taken where the chain begins: 0, unless the run went on from a checkpoint of another folder. */
  from: count,
  ...auditedStepsSchema.shape,
  lanes: z.int().min(1),
  datasetDigest: sha256Schema,
  /** The recipe, without what may change while a run goes on (epochs). */
  recipe: z.record(z.string(), z.unknown()),
  /** Digest of the weights where the chain begins. */
  weights: sha256Schema,
})
/** The first line of a chain. */
export type ChainBeginning = z.infer<typeof beginningSchema>

/** Every further line of digests.jsonl: a step. */
const linkSchema = z.strictObject({
  /** Number of steps that the run has taken with this one. */
  step: z.int().min(1),
  epoch: z.int().min(1),
  /** Digest of the weights after the step, as `parameterDigest` computes it. */
  weights: sha256Schema,
  /** Merkle root over `lanes`. */
  root: sha256Schema,
  /** Digests of the gradients of all lanes, in their order. */
  lanes: z.array(laneDigestSchema).min(1),
  /** Hash of the line before. */
  previous: sha256Schema,
})
export type ChainLink = z.infer<typeof linkSchema>

/** Schema of any line of digests.jsonl. */
export const chainLineSchema = z.union([linkSchema, beginningSchema])
export type ChainLine = z.infer<typeof chainLineSchema>

/** The end of a chain: it stands for all lines before. */
export interface ChainHead {
  /** Number of steps taken. */
  step: number
  /** Number of lines, the first one included. */
  lines: number
  /** Hash of the last line. */
  hash: string
}

/** A line with its hash. */
type Hashed<L extends ChainLine> = L & { hash: string }
export type HashedLink = Hashed<ChainLink>

export interface Chain {
  beginning: Hashed<ChainBeginning>
  links: HashedLink[]
  head: ChainHead
}

/** The file of digests contradicts itself: somebody has changed it, or it lacks lines. */
export class ChainError extends RunError {}

/** Hashes a line: sha256 over its text, without the line end. */
export function lineHash(line: ChainLine | string): string {
  return sha256Of(typeof line === 'string' ? line : JSON.stringify(line))
}

/**
 * Builds the first line of a chain.
 * @param recipe the whole recipe of the run
 */
export function beginningOf({ recipe, ...facts }: Omit<ChainBeginning, 'digests' | 'recipe'> & { recipe: Recipe }): ChainBeginning {
  const fixed = recipeKeys.filter((key) => !recipeTable[key].mayChange).map((key) => [key, recipe[key]] as const)
  // Through JSON, in which an absent value and an undefined one are the same: what is hashed is what is written.
  return beginningSchema.parse(JSON.parse(JSON.stringify({ digests: 1, ...facts, recipe: Object.fromEntries(fixed) })))
}

/** Builds the link that follows on a line. @param lanes digests of all lanes, in their order */
export function linkOf({ stepsPerEpoch }: Pick<ChainBeginning, 'stepsPerEpoch'>, step: number, weights: string, lanes: readonly string[], previous: string): ChainLink {
  return linkSchema.parse({ step, epoch: Math.ceil(step / stepsPerEpoch), weights, root: merkleRoot(lanes), lanes, previous })
}

/** Returns the number of steps taken at the first audited step after `step` steps. */
function nextAudited({ every, stepsPerEpoch }: ChainBeginning, step: number): number {
  const multipleOf = (steps: number): number => (Math.floor(step / steps) + 1) * steps
  return Math.min(multipleOf(every), multipleOf(stepsPerEpoch))
}

/**
 * Reads a chain and checks all that can be checked without computing a step: that each line has the hash of the one before, that no line is
 * missing, and that roots fit their lanes.
 * @param text content of digests.jsonl; a last line without a line end was cut off by a crash, and is left out
 * @param file its path, for errors
 * @throws ChainError that says what is wrong, and in which line
 */
export function chainOf(text: string, file: string): Chain {
  const [first, ...rest] = text.split('\n').slice(0, -1)
  if (first === undefined) throw new ChainError(`${file} has no line: expected the chain of a run's digests.`)
  const beginning = { ...parsed(beginningSchema, first, `${file}, line 1,`), hash: lineHash(first) }
  let head: ChainHead = { step: beginning.from, lines: 1, hash: beginning.hash }
  const links = rest.map((line, index) => {
    const place = `${file}, line ${index + 2},`
    const link = parsed(linkSchema, line, place)
    if (link.previous !== head.hash) throw new ChainError(`${place} does not follow on the line before it, whose hash is ${head.hash.slice(0, 12)}..., not ${link.previous.slice(0, 12)}...: one of them was changed.`)
    const expected = nextAudited(beginning, head.step)
    if (link.step !== expected) throw new ChainError(`${place} is of step ${link.step}, where step ${expected} is expected: lines are missing, or made up.`)
    if (link.epoch !== Math.ceil(link.step / beginning.stepsPerEpoch)) throw new ChainError(`${place} is of step ${link.step}, which is not in epoch ${link.epoch}.`)
    if (link.lanes.length !== beginning.lanes) throw new ChainError(`${place} has digests of ${link.lanes.length} lanes, where the run has ${beginning.lanes}.`)
    if (link.root !== merkleRoot(link.lanes)) throw new ChainError(`${place} has a root that is not that of its lanes: one of them was changed.`)
    head = { step: link.step, lines: head.lines + 1, hash: lineHash(line) }
    return { ...link, hash: head.hash }
  })
  return { beginning, links, head }
}

function parsed<T>(schema: z.ZodType<T>, line: string, place: string): T {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new ChainError(`${place} is not JSON.`, { cause: error })
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new ChainError(`${place} is not as expected: ${issue.path.join('.') || 'the whole'}: ${issue.message}.`)
}
