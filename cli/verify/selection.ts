import { parameterDigest } from '../../shared/checkpoint/checkpoint.ts'
import { wholeOf } from '../../shared/model/frozen.ts'
import type { Chain } from '../../shared/audit/chain.ts'
import { RunError, UsageError } from '../../shared/kit/errors.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { Contradiction } from './contradiction.ts'
import { knownStates, readState, someOf, stretchesOf, stretchesOver, type KnownState, type StateParts, type Stretch } from './states.ts'

/** Which steps are replayed: those of a range, or a share of all, from 0 to 1. */
export type Selection = { first: number; last: number } | { share: number }

export interface Selected {
  stretches: Stretch[]
  /** Number of steps of the run. */
  of: number
  /** What is known to be wrong at the end of the only stretch, as a clause: replaying it names the parameter. */
  wrong: string | undefined
}

/**
 * Chooses the stretches to replay: those that the user wants, or that which leads to a checkpoint that is not the noted one.
 * @throws Contradiction if a checkpoint is not the noted one, and no stretch leads to it, or nothing is to be replayed; RunError if there is no
 *   state to begin from; UsageError if the range is none of the run's
 */
export async function select(chain: Chain, selection: Selection, states: StateParts): Promise<Selected> {
  const known = await knownStates(states.folder, chain.beginning.from, states.initial)
  const of = Math.max(chain.head.step, known.at(-1)?.step ?? 0)
  const stretches = stretchesOf(known, of)
  const unlike = await firstUnlike(known, chain, states)
  if (unlike !== undefined) {
    const wrong = `its checkpoint ${unlike.file} does not have the weights that digests.jsonl notes ${unlike.step === 0 ? 'before the first step' : `after step ${unlike.step}`}`
    const leading = stretches.filter(({ end }) => end?.step === unlike.step)
    if (leading.length === 0 || ('share' in selection && selection.share === 0)) throw new Contradiction(wrong)
    return { stretches: leading, of, wrong }
  }
  if ('share' in selection && selection.share === 0) return { stretches: [], of, wrong: undefined }
  if (known.length === 0) throw new RunError(`${shownPath(states.folder)} has no checkpoint from which steps could be replayed: the run went on at step ${chain.beginning.from} from a checkpoint of another folder. Put one of its own there, or check its files alone with --share 0%.`)
  if ('share' in selection) return { stretches: someOf(stretches, selection.share), of, wrong: undefined }
  const { first, last } = selection
  if (last > of || first <= known[0].step) throw new UsageError(`--steps ${first}..${last}: expected steps from ${known[0].step + 1} to ${of}, the steps that can be replayed from the checkpoints of the run.`)
  return { stretches: stretchesOver(stretches, first, last, chain.links.map(({ step }) => step)), of, wrong: undefined }
}

/** Finds the first checkpoint whose weights are not the noted ones. */
async function firstUnlike(known: readonly KnownState[], { beginning, links }: Chain, states: StateParts): Promise<{ step: number; file: string } | undefined> {
  const noted = new Map([[beginning.from, beginning.weights], ...links.map((link) => [link.step, link.weights] as const)])
  for (const { step, files } of known) {
    const weights = noted.get(step)
    // One state in memory at a time.
    for (const file of files) if (weights !== undefined && (await digestOf(file, states)) !== weights) return { step, file }
  }
  return undefined
}

/** Digest of all parameters of a checkpoint, trained and frozen. */
async function digestOf(file: string, states: StateParts): Promise<string> {
  const { state, frozen } = await readState(file, states)
  return parameterDigest(wholeOf(states.network, state.parameters, frozen))
}
