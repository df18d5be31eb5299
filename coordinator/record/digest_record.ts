import { beginningOf, ChainError, lineHash, linkOf, type ChainBeginning, type ChainHead, type ChainLine } from '../../shared/audit/chain.ts'
import { parameterDigest, parameterDigestAside } from '../../shared/checkpoint/checkpoint.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { isAudited, type AuditedSteps } from '../../shared/lanes/audited_steps.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { Progress } from '../contract/progress.ts'
import type { Weights } from '../exchange/reduction.ts'

/**
 * Decides after which steps a run notes digests. One that goes on keeps what it began with: its chain must become the same as if it had never stopped.
 * @param folder folder of the run that goes on; undefined: the run begins
 * @param isGiven true if the user has asked for `every`
 * @returns undefined: after none
 * @throws UsageError if the user asks for another interval than the run began with
 */
export async function auditedStepsOf(folder: Pick<RunFolder, 'readChain'> | undefined, every: number, isGiven: boolean, stepsPerEpoch: number): Promise<AuditedSteps | undefined> {
  const begun = (await intactChain(folder))?.beginning.every
  if (begun !== undefined && isGiven && begun !== every) throw new UsageError(`--audit-every ${every}: the run began with ${begun}; leave the option out to resume it.`)
  const steps = begun ?? every
  return steps === 0 ? undefined : { every: steps, stepsPerEpoch }
}

async function intactChain(folder: Pick<RunFolder, 'readChain'> | undefined): ReturnType<RunFolder['readChain']> {
  try {
    return await folder?.readChain()
  } catch (error) {
    if (error instanceof ChainError) return undefined
    throw error
  }
}

export interface DigestRecordParts {
  folder: Pick<RunFolder, 'digests' | 'digestsFile' | 'readChain'>
  /** Undefined: nothing is noted. */
  audit: AuditedSteps | undefined
  recipe: Recipe
  datasetDigest: string
  weights: Pick<Weights, 'parameters'>
  /** Adds a line to digests.jsonl, which waits in memory as long as the disk refuses it. */
  append: (line: ChainLine) => void
}

/**
 * Keeps digests.jsonl, the chain by which a run can be audited: the digests of audited steps, each line with the hash of the one before. Weights
 * are hashed beside training, one vector at a time.
 */
export class DigestRecord {
  readonly #parts: DigestRecordParts
  #head: ChainHead | undefined
  /** Settles when all lines so far are added; rejects if the weights of one could not be had, and then no later line is added. */
  #work: Promise<void> = Promise.resolve()

  constructor(parts: DigestRecordParts) {
    this.#parts = parts
  }

  /**
   * Takes over the file. Lines beyond the run's position are dropped, since these steps are taken again. A chain that does not reach up to there,
   * or contradicts itself, cannot be continued: a new one begins here.
   * @returns what a user should know about that; undefined if nothing
   */
  async begin({ step }: Progress['at']): Promise<string | undefined> {
    const { folder, audit, append } = this.#parts
    if (audit === undefined) return undefined
    const found = step === 0 ? undefined : await this.#found(audit, step)
    if (found !== undefined && typeof found !== 'string') {
      await folder.digests.cutFrom((line) => 'step' in line && line.step > step)
      this.#head = found
      return undefined
    }
    await folder.digests.clear()
    const beginning = await this.#beginning(audit, step)
    append(beginning)
    this.#head = { step, lines: 1, hash: lineHash(beginning) }
    return found === undefined ? undefined : `${found} A new chain of digests begins at step ${step}: \`herd verify\` can tell nothing of the steps before.`
  }

  /**
   * Notes a step that has been taken, if it is an audited one. To be called before the next one begins.
   * @param step number of steps before it
   * @param lanes reports of all its lanes, in their order
   */
  async step({ step }: Pick<Progress['at'], 'step'>, lanes: readonly LaneReport[]): Promise<void> {
    const { audit, weights } = this.#parts
    if (audit === undefined || !isAudited(audit, step)) return
    const digests = lanes.map(({ digest }) => digest ?? '')
    // One copy of the weights at a time: with a short interval and a large network, training waits here.
    await this.#work.catch(() => undefined)
    this.#work = this.#add(audit, step + 1, weights.parameters(), digests, this.#work)
    // The failure is thrown by `kept`.
    this.#work.catch(() => undefined)
  }

  /**
   * Waits until the lines of all steps so far survive a power cut: a checkpoint is saved only then, so that a run that goes on from it has them.
   * @returns the end of the chain, as far as that is sure; undefined if the run keeps none, or before `begin`
   * @throws WriteError if the disk refuses; the error of the weights if they could not be had
   */
  async kept(): Promise<ChainHead | undefined> {
    if (this.#head === undefined) return undefined
    await this.#work
    const head = this.#head
    await this.#parts.folder.digests.sync()
    return head
  }

  async #add(audit: AuditedSteps, step: number, parameters: Promise<Float32Array>, lanes: readonly string[], before: Promise<void>): Promise<void> {
    const digest = await parameterDigestAside(await parameters)
    await before
    const head = this.#head
    if (head === undefined) throw new Error('a step before the chain has begun')
    const link = linkOf(audit, step, digest, lanes, head.hash)
    this.#parts.append(link)
    this.#head = { step, lines: head.lines + 1, hash: lineHash(link) }
  }

  /** Finds the end of the chain up to a step. @returns why there is none, as a sentence; undefined if there is no file */
  async #found(audit: AuditedSteps, step: number): Promise<ChainHead | string | undefined> {
    const { folder } = this.#parts
    try {
      const chain = await folder.readChain()
      if (chain === undefined) return undefined
      const { beginning, links } = chain
      const kept = links.filter((link) => link.step <= step)
      const last = kept.at(-1) ?? { step: beginning.from, hash: beginning.hash }
      const lacks = Array.from({ length: Math.max(0, step - last.step) }, (_, i) => last.step + i).find((each) => isAudited(audit, each))
      if (beginning.from > step) return `${folder.digestsFile} begins after step ${step}.`
      if (lacks !== undefined) return `${folder.digestsFile} lacks step ${lacks + 1}.`
      return { step: last.step, lines: kept.length + 1, hash: last.hash }
    } catch (error) {
      if (error instanceof ChainError) return error.message
      throw error
    }
  }

  async #beginning(audit: AuditedSteps, from: number): Promise<ChainBeginning> {
    const { recipe, datasetDigest, weights } = this.#parts
    return beginningOf({ from, ...audit, lanes: recipe.lanes, datasetDigest, recipe, weights: parameterDigest(await weights.parameters()) })
  }
}
