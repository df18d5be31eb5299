import { randomInt } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { progressOf } from '../../coordinator/record/checkpoint_position.ts'
import { beginning, type Progress } from '../../coordinator/contract/progress.ts'
import { loadCheckpoint, optimizerStateOf, readPosition, requireSameNetwork } from '../../shared/checkpoint/checkpoint.ts'
import { CheckpointError, NewerCheckpointError, RunError } from '../../shared/kit/errors.ts'
import { frozenOf, trainedOf } from '../../shared/model/frozen.ts'
import type { Layout } from '../../shared/model/layout.ts'
import type { Network } from '../../shared/model/network.ts'
import { freshState, type Optimizer, type OptimizerState } from '../../shared/optim/optimizer.ts'
import { Contradiction } from './contradiction.ts'

/** A state of the run that is known in full: steps can be replayed from there. */
export interface KnownState {
  /** Number of steps taken. */
  step: number
  /** Names of its checkpoints, of which none is a link to another; none is needed before the first step, where the weights follow from the seed, or are those of a file. */
  files: string[]
}

/** Steps between two known states, or from the last one on: `from` has been taken, `to` is the last one to replay. */
export interface Stretch {
  from: KnownState
  to: number
  /** The state at `to`; undefined beyond the last checkpoint. */
  end: KnownState | undefined
}

const LATEST = 'latest.ckpt'
const CHECKPOINT = /^(latest|epoch-\d+|step-\d+)\.ckpt$/

/**
 * Lists the states of a run that are known, in the order of steps.
 * @param folder its checkpoints
 * @param from number of steps taken where its chain begins
 * @param initial the weights before the first step, if they are known
 * @throws Contradiction if a checkpoint cannot be read; RunError if one is removed meanwhile
 */
export async function knownStates(folder: string, from: number, initial: Float32Array | undefined): Promise<KnownState[]> {
  const files = new Map<number, string[]>(from === 0 && initial !== undefined ? [[0, []]] : [])
  const seen = new Set<string>()
  for (const name of await checkpointsIn(folder)) {
    const { step, file } = await contradicting(folder, name, async () => ({ ...(await readPosition(join(folder, name))), file: await stat(join(folder, name)) }))
    const { dev, ino } = file
    if (step < from || seen.has(`${dev} ${ino}`)) continue
    seen.add(`${dev} ${ino}`)
    files.set(step, [...(files.get(step) ?? []), name])
  }
  return [...files].map(([step, own]) => ({ step, files: own })).sort((a, b) => a.step - b.step)
}

/** Lists names of checkpoints, latest.ckpt last: the others stand for the same state for good. */
async function checkpointsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [] as string[])).filter((name) => CHECKPOINT.test(name)).sort()
  return [...names.filter((name) => name !== LATEST), ...names.filter((name) => name === LATEST)]
}

/** Cuts a run into the stretches that can be replayed one by one. @param to number of steps of the run */
export function stretchesOf(states: readonly KnownState[], to: number): Stretch[] {
  return states.flatMap((from, index) => {
    const end = states.at(index + 1)
    return from.step < to ? [{ from, to: end?.step ?? to, end }] : []
  })
}

/**
 * Picks the stretches that have the steps `first` to `last`. The last one is cut short behind the next noted step, since what comes before that
 * could not be compared.
 * @param noted noted steps, in their order
 */
export function stretchesOver(stretches: readonly Stretch[], first: number, last: number, noted: readonly number[]): Stretch[] {
  const end = noted.find((step) => step >= last) ?? Infinity
  return stretches.filter(({ from, to }) => from.step < last && to >= first).map((stretch) => (stretch.to <= end ? stretch : { ...stretch, to: end, end: undefined }))
}

/**
 * Picks stretches at random, in the order of steps, until they have a share of all steps: whoever forges a run cannot know which.
 * @param share from 0 to 1
 */
export function someOf(stretches: readonly Stretch[], share: number, random: (below: number) => number = (below) => randomInt(below)): Stretch[] {
  const left = [...stretches]
  const total = stepsOf(stretches)
  const picked: Stretch[] = []
  while (left.length > 0 && stepsOf(picked) < share * total) picked.push(...left.splice(random(left.length), 1))
  return picked.sort((a, b) => a.to - b.to)
}

/** Number of steps in stretches. */
export function stepsOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, to }) => sum + to - from.step, 0)
}

export interface StateParts {
  /** Folder of the checkpoints. */
  folder: string
  /** All weights that the recipe begins with; undefined where they are those of a file that is not given. */
  initial: Float32Array | undefined
  network: Network
  /** Layout of what is trained. */
  layout: Layout
  classes: readonly string[]
  optimizer: Optimizer
  stepsPerEpoch: number
}

/** A state that was read in full. */
export interface ReadState {
  progress: Progress
  /** Weights and moments of what is trained. */
  state: OptimizerState
  /** Parameters that keep their values. */
  frozen: Float32Array
}

/**
 * Reads a state in full.
 * @param file name of its checkpoint; undefined: the initial weights, which must be known
 * @throws Contradiction if the file is damaged, or of another network, other classes or another optimizer; RunError if it was removed meanwhile
 */
export async function readState(file: string | undefined, { folder, initial, network, layout, classes, optimizer, stepsPerEpoch }: StateParts): Promise<ReadState> {
  if (file === undefined) {
    if (initial === undefined) throw new Error('the state before the first step is not known')
    return { progress: beginning, state: { ...freshState(optimizer, layout.size), parameters: trainedOf(network, initial) }, frozen: frozenOf(network, initial) }
  }
  return contradicting(folder, file, async () => {
    const checkpoint = await loadCheckpoint(join(folder, file))
    requireSameNetwork(checkpoint, network, classes, file)
    return { progress: progressOf(checkpoint, stepsPerEpoch), state: optimizerStateOf(checkpoint, optimizer, file), frozen: frozenOf(network, checkpoint.parameters) }
  })
}

/** Turns what is wrong with a checkpoint into a contradiction: the run claims that it is one of its own. */
async function contradicting<T>(folder: string, name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(await checkpointsIn(folder)).includes(name)) throw new RunError(`${join(folder, name)} was removed meanwhile: the run goes on. Verify it when it has ended, or verify a copy of its folder.`, { cause: error })
    if (!(error instanceof CheckpointError) || error instanceof NewerCheckpointError) throw error
    throw new Contradiction(`its checkpoint ${name} cannot be used (${error.message.split('\n')[0]})`, { cause: error })
  }
}
