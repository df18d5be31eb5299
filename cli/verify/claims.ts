import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Chain, ChainHead } from '../../shared/audit/chain.ts'
import { readVerifier, type Provenance } from '../../shared/audit/provenance.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { article } from '../../shared/recipe/presets.ts'
import { recipeSchema } from '../../shared/recipe/recipe.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { Summary } from '../../shared/run_folder/schemas.ts'
import { Contradiction } from './contradiction.ts'

/** What a run's folder claims. */
export interface Claims {
  chain: Chain
  provenance: Provenance | undefined
  /** Number of steps up to which the chain is signed with the key that was asked for; undefined if none was. */
  signedTo: number | undefined
  /** The recipe of the chain. What may change while a run goes on decides no step, and has any value here. */
  recipe: Recipe
}

/**
 * Reads what a run claims, and checks that its files say the same.
 * @param signedBy file of the public key that provenance.json must be signed with; undefined: no signature is asked for
 * @throws Contradiction if two of them do not; ChainError if digests.jsonl contradicts itself; RunError if the run keeps no digests; UsageError if the key cannot be used
 */
export async function readClaims(folder: RunFolder, signedBy: string | undefined): Promise<Claims> {
  const isSigned = signedBy === undefined ? undefined : await readVerifier('--signed-by', signedBy)
  if (isSigned !== undefined) await requireSignature(folder, signedBy ?? '', isSigned)
  // The chain is read last: that of a run that goes on is never shorter than what the others stand for.
  const [provenance, summary] = [await folder.readProvenance(), existsSync(folder.summaryFile) ? await folder.readSummary() : undefined]
  const chain = await folder.readChain()
  if (chain === undefined) throw new RunError(`${shownPath(folder.path)} has no digests.jsonl: it was trained with --audit-every 0, or by an older Herd, and cannot be verified.`)
  if (provenance !== undefined) requireSameClaims(chain, provenance)
  if (summary !== undefined) requireSameEnd(chain, summary)
  return { chain, provenance, signedTo: signedBy === undefined ? undefined : provenance?.digests?.step, recipe: recipeOf(chain) }
}

async function requireSignature(folder: RunFolder, key: string, isSigned: (bytes: Uint8Array, signature: Uint8Array) => boolean): Promise<void> {
  const [bytes, signature] = await Promise.all([folder.provenanceFile, folder.signatureFile].map((file) => readFile(file).catch(() => undefined)))
  if (bytes === undefined || signature === undefined) throw new Contradiction(`it is not signed: there is no ${bytes === undefined ? 'provenance.json' : 'provenance.json.sig'}`)
  if (!isSigned(bytes, signature)) throw new Contradiction(`provenance.json is not signed with the key of ${key}, or was changed since`)
}

/** @throws Contradiction if provenance.json stands for another chain, data set or recipe */
function requireSameClaims(chain: Chain, { digests, datasetDigest, recipe }: Provenance): void {
  if (!hasHead(chain, digests)) throw new Contradiction('digests.jsonl is not the chain that provenance.json stands for: one of them was changed')
  const { beginning } = chain
  if (datasetDigest !== beginning.datasetDigest) throw new Contradiction('provenance.json names another data set than digests.jsonl')
  const other = Object.entries(beginning.recipe).find(([key, value]) => !isDeepStrictEqual(recipe[key], value))
  if (other !== undefined) throw new Contradiction(`provenance.json has another ${other[0]} in its recipe than digests.jsonl`)
}

/** @throws Contradiction if summary.json, which a run has once it has finished, stands for another chain, or for other last weights */
function requireSameEnd(chain: Chain, { digests, steps, digest }: Summary): void {
  if (digests === undefined) return
  if (!hasHead(chain, digests)) throw new Contradiction('digests.jsonl is not the chain that summary.json stands for: one of them was changed')
  const last = chain.links.find(({ step }) => step === steps)
  if (last !== undefined && digest !== last.weights) throw new Contradiction('summary.json has another digest of the last weights than digests.jsonl')
}

/** True if a head is that of the chain, or of its beginning: a run that has ended can have gone on afterwards. */
function hasHead({ beginning, links }: Chain, head: ChainHead | null): boolean {
  return [{ step: beginning.from, hash: beginning.hash }, ...links].some(({ step, hash }) => hash === head?.hash && step === head.step)
}

function recipeOf({ beginning: { recipe } }: Chain): Recipe {
  const parsed = recipeSchema.safeParse({ ...article, ...recipe, epochs: 1, onNonfinite: 'skip' })
  if (parsed.success) return parsed.data
  throw new RunError(`the recipe in digests.jsonl has ${parsed.error.issues[0].path.join('.') || 'something'} that this version of Herd does not know: verify the run with the version in its provenance.json.`)
}
