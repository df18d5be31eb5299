import { isDeepStrictEqual } from 'node:util'
import type { Chain, HashedLink } from '../../shared/audit/chain.ts'
import type { Provenance } from '../../shared/audit/provenance.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { recipeKeys } from '../../shared/recipe/table.ts'
import { asOption } from '../../shared/recipe/recipe.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'
import { lanesInWords } from './differences.ts'

/** A comparison of two runs. */
export interface RunDifference {
  equal: boolean
  /** One sentence for each thing in which they differ, and last where their digests part. */
  sentences: string[]
}

interface Noted {
  name: string
  chain: Chain
  provenance: Provenance | undefined
}

/** Longest text of an option with its value that is shown. */
const LONGEST = 100

/**
 * Says where two runs part, by what they have noted: nothing is computed.
 * @throws UsageError if one of the folders has no run; RunError if one keeps no digests, or they have no noted step in common; ChainError
 */
export async function diffRuns(one: string, other: string): Promise<RunDifference> {
  const [a, b] = await Promise.all([readNoted(one), readNoted(other)])
  const parting = partingOf(a, b)
  return { equal: parting.equal, sentences: [...recipeDifferences(a, b), ...dataDifferences(a, b), ...machineDifferences(a, b), parting.sentence] }
}

async function readNoted(run: string): Promise<Noted> {
  const folder = await RunFolder.open(run, () => new Date(), 'expected the folder of a run, e.g. runs/first.')
  const chain = await folder.readChain()
  const name = shownPath(folder.path)
  if (chain === undefined) throw new RunError(`${name} has no digests.jsonl: it was trained with --audit-every 0, or by an older Herd, and cannot be compared step by step.`)
  return { name, chain, provenance: await folder.readProvenance() }
}

function recipeDifferences(a: Noted, b: Noted): string[] {
  const [own, other] = [a.chain.beginning.recipe, b.chain.beginning.recipe]
  const unequal = recipeKeys.filter((key) => !isDeepStrictEqual(own[key], other[key]))
  return unequal.map((key) => {
    const [inOne, inOther] = partingTexts(asOption(key, own[key]), asOption(key, other[key]))
    return `configuration: ${inOne} in ${a.name}, ${inOther} in ${b.name}.`
  })
}

function dataDifferences(a: Noted, b: Noted): string[] {
  const [own, other] = [a, b].map(({ chain }) => chain.beginning.datasetDigest.slice(0, 12))
  return own === other ? [] : [`data: ${a.name} has other images than ${b.name} (digests ${own}... and ${other}...).`]
}

/** Differences of machines and versions; none if a run has no provenance.json. */
function machineDifferences(a: Noted, b: Noted): string[] {
  if (a.provenance === undefined || b.provenance === undefined) return []
  const [own, other] = [factsOf(a.provenance), factsOf(b.provenance)]
  const unequal = Object.keys(own).filter((what) => own[what] !== other[what])
  return unequal.map((what) => `machine: ${what} ${own[what]} in ${a.name}, ${other[what]} in ${b.name}.`)
}

function factsOf({ fingerprints, herd, node, platform, engine }: Provenance): Record<string, string> {
  return {
    'numerics fingerprint': fingerprints.numerics.join(' and ') || 'unknown',
    'input fingerprint': fingerprints.input.map(({ fingerprint }) => fingerprint).join(' and ') || 'unknown',
    Herd: herd.version,
    'package-lock.json': herd.lock?.slice(0, 12) ?? 'unknown',
    'versions for images': fingerprints.input.map(({ versions }) => versions).join(' and ') || 'unknown',
    engine: engine === null ? 'unknown' : `${engine.version} on ${engine.device}`,
    'Node.js': node,
    platform,
  }
}

/** Finds the first step that both have noted and in which they differ. */
function partingOf(a: Noted, b: Noted): { equal: boolean; sentence: string } {
  const both = `${a.name} and ${b.name}`
  const others = new Map(b.chain.links.map((link) => [link.step, link]))
  const begin = Math.max(a.chain.beginning.from, b.chain.beginning.from)
  const startsAlike = a.chain.beginning.from === b.chain.beginning.from
  if (startsAlike && a.chain.beginning.weights !== b.chain.beginning.weights) return { equal: false, sentence: `${both} part before step ${begin + 1}: they begin with other weights.` }
  let agreed: number | undefined = startsAlike ? begin : undefined
  for (const link of a.chain.links) {
    const other = others.get(link.step)
    if (other === undefined) continue
    const difference = differenceOf(link, other)
    if (difference !== undefined) return { equal: false, sentence: `${both} part ${placeOf(agreed, link.step)} ${difference}.` }
    agreed = link.step
  }
  if (agreed === undefined || agreed === begin) throw new RunError(`${both} have no step that both have noted: --audit-every ${a.chain.beginning.every} and ${b.chain.beginning.every}, up to steps ${a.chain.head.step} and ${b.chain.head.step}.`)
  return { equal: true, sentence: `${both} are equal as far as both go: up to step ${agreed}, by all weights and lanes that both have noted.` }
}

function placeOf(agreed: number | undefined, step: number): string {
  if (agreed === undefined) return `at step ${step} or before:`
  return agreed === step - 1 ? `at step ${step}:` : `in one of the steps ${agreed + 1} to ${step}, of which both have noted the last alone: there,`
}

function differenceOf(own: HashedLink, other: HashedLink): string | undefined {
  const lanes = own.lanes.flatMap((digest, lane) => (digest === other.lanes[lane] ? [] : [lane]))
  if (own.lanes.length !== other.lanes.length) return own.weights === other.weights ? undefined : 'the weights after it differ'
  if (lanes.length > 0) return lanesInWords(lanes, own.lanes.length)
  return own.weights === other.weights ? undefined : 'the weights after it differ, and the gradients of all its lanes do not'
}

/** Shortens two texts, so that what is left of each has the first difference. */
function partingTexts(own: string, other: string): [string, string] {
  const alike = [...own].findIndex((character, index) => character !== other[index])
  const option = own.indexOf(' ') + 1
  // A list is shown from the first part on in which they differ.
  const from = own.lastIndexOf('{', alike)
  const shorten = (text: string): string => {
    if (text.length <= LONGEST) return text
    const rest = from > option ? `${text.slice(0, option)}...${text.slice(from)}` : text
    return rest.length > LONGEST ? `${rest.slice(0, LONGEST - 3)}...` : rest
  }
  return [shorten(own), shorten(other)]
}
