import type { Cluster } from '../../coordinator/contract/cluster.ts'
import type { Progress } from '../../coordinator/contract/progress.ts'
import type { ChainLink } from '../../shared/audit/chain.ts'
import { parameterDigest } from '../../shared/checkpoint/checkpoint.ts'
import type { Schedule } from '../../shared/lanes/sample_schedule.ts'
import { wholeOf } from '../../shared/model/frozen.ts'
import { frozenLayoutOf } from '../../shared/model/layout.ts'
import { rateAt } from '../../shared/optim/schedule.ts'
import type { Model } from '../../shared/optim/stepped_weights.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import { Contradiction } from './contradiction.ts'
import { differenceOfStates, differenceOfStep } from './differences.ts'
import { readState, type KnownState, type ReadState, type StateParts, type Stretch } from './states.ts'

export interface ReplayParts {
  /** Cluster of this process alone, which steps `model`. */
  cluster: Pick<Cluster, 'trainStep'>
  model: Model
  schedule: Schedule
  recipe: Recipe
  states: StateParts
  /** Parameters that keep their values, as the cluster has them. */
  frozen: Float32Array
  /** What the run has noted, by number of steps taken. */
  noted: ReadonlyMap<number, ChainLink>
  /** Receives the number of steps replayed so far, and the images of each. */
  onStep: (images: number) => void
}

/** What a replay has compared. */
export interface Compared {
  steps: number
  /** Lines of the chain. */
  lines: number
  checkpoints: number
}

/**
 * Replays a stretch of a run from a state that is known in full, and compares what was noted on the way, and the checkpoints at its end.
 * @throws Contradiction at the first difference; DataError if an image cannot be read
 */
export async function replay({ from, to, end }: Stretch, parts: ReplayParts): Promise<Compared> {
  const { model, states, frozen, noted } = parts
  const file = fileToBeginWith(from, states)
  const begun = await readState(file, states)
  const otherFrozen = differenceOfFrozen(begun, parts)
  if (file !== undefined && otherFrozen !== undefined) throw new Contradiction(`in ${file}, ${otherFrozen}`)
  model.restore(begun.state)
  let progress = begun.progress
  let agreed = from.step
  let lines = 0
  while (progress.at.step < to) {
    const { next, lanes } = await replayStep(progress, parts)
    progress = next
    const { step } = next.at
    const link = noted.get(step)
    if (link === undefined) continue
    const difference = differenceOfStep(link, lanes, parameterDigest(wholeOf(states.network, model.parameters, frozen)), { agreed, begun: agreed === from.step ? file : undefined })
    if (difference !== undefined) throw new Contradiction([difference, ...(step === end?.step ? await differencesOfCheckpoints(end, progress, parts) : [])].join('; '))
    agreed = step
    lines++
  }
  const [difference] = end === undefined ? [] : await differencesOfCheckpoints(end, progress, parts)
  if (difference !== undefined) throw new Contradiction(`after step ${to}, ${difference}`)
  return { steps: to - from.step, lines, checkpoints: end?.files.length ?? 0 }
}

/** No checkpoint is believed where the initial weights are known, since they follow from the seed. */
function fileToBeginWith({ step, files }: KnownState, { initial }: StateParts): string | undefined {
  return step === 0 && initial !== undefined ? undefined : files.at(0)
}

/** Compares the checkpoints of a state with what was computed here. @returns the first difference in each, as a clause */
async function differencesOfCheckpoints({ files }: KnownState, { skippedSteps }: Progress, parts: ReplayParts): Promise<string[]> {
  const { model, states } = parts
  const differences: string[] = []
  for (const file of files) {
    const kept = await readState(file, states)
    const difference = kept.progress.skippedSteps === skippedSteps
      ? differenceOfFrozen(kept, parts) ?? differenceOfStates(model.layout, model.optimizer.moments, kept.state, model.state)
      : `${kept.progress.skippedSteps} steps count as left out, where ${skippedSteps} were`
    if (difference !== undefined) differences.push(`in ${file}, ${difference}`)
  }
  return differences
}

/** Compares frozen parameters, which are the same in all states of a run. @returns the first difference, as a clause */
function differenceOfFrozen(kept: ReadState, { states, frozen }: ReplayParts): string | undefined {
  return differenceOfStates(frozenLayoutOf(states.network), [], { parameters: kept.frozen, moments: [] }, { parameters: frozen, moments: [] })
}

async function replayStep(progress: Progress, { cluster, schedule, recipe, onStep }: ReplayParts): Promise<{ next: Progress; lanes: Awaited<ReturnType<Cluster['trainStep']>>['lanes'] }> {
  // A checkpoint at the end of an epoch that was not evaluated yet still stands in that epoch.
  const at = progress.at.stepInEpoch < schedule.stepsPerEpoch ? progress.at : { epoch: progress.at.epoch + 1, stepInEpoch: 0, step: progress.at.step }
  const samples = schedule.batch(at.epoch, at.stepInEpoch).length
  const update = at.step - progress.skippedSteps + 1
  const { lanes, notFinite } = await cluster.trainStep(at, { samples, update, rate: rateAt(recipe.schedule, recipe.lr, update, schedule.stepsPerEpoch) })
  onStep(samples)
  return { next: { ...progress, at: schedule.next(at), skippedSteps: progress.skippedSteps + (notFinite === undefined ? 0 : 1) }, lanes }
}
