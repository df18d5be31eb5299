import { beginningOf } from '../../coordinator/init.ts'
import { networkOf } from '../../coordinator/prepare.ts'
import { openSingleNode } from '../../coordinator/open_single_node.ts'
import type { ClusterStatus } from '../../coordinator/contract/cluster.ts'
import { ChainError, type Chain } from '../../shared/audit/chain.ts'
import { parameterDigest } from '../../shared/checkpoint/checkpoint.ts'
import type { OpenedDataset } from '../../shared/data/dataset.ts'
import { withNormalisation } from '../../shared/data/transforms/transforms.ts'
import { RunError, UsageError } from '../../shared/kit/errors.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { Schedule } from '../../shared/lanes/sample_schedule.ts'
import { thawed } from '../../shared/model/frozen.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import type { Network } from '../../shared/model/network.ts'
import { withGroupRates } from '../../shared/optim/group_rates.ts'
import { freshState } from '../../shared/optim/optimizer.ts'
import { optimizerOf } from '../../shared/optim/optimizers.ts'
import { Model } from '../../shared/optim/stepped_weights.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'
import { checkImages } from '../checked_images.ts'
import type { Notices } from '../command.ts'
import { counted } from '../output.ts'
import { readClaims, type Claims } from './claims.ts'
import { Contradiction } from './contradiction.ts'
import { replay, type Compared } from './replay.ts'
import { select, type Selected, type Selection } from './selection.ts'
import { readState, stepsOf, type StateParts } from './states.ts'

export interface VerifyOptions {
  run: string
  /** Folder of the images; undefined: that which the run names. */
  data: string | undefined
  /** File of the weights that the run began with, if its recipe names one. */
  init: string | undefined
  selection: Selection
  /** File of a public key that provenance.json must be signed with. */
  signedBy: string | undefined
  /** True to compare on a machine that computes other bits, too. */
  force: boolean
  gpu: number | undefined
}

export interface Verdict {
  equal: boolean
  /** What was found, in one sentence. */
  sentence: string
}

/**
 * Verifies a run: reads what its folder claims, checks that its files agree, and replays steps on this machine.
 * @throws UsageError for a folder, key or range that cannot be; RunError if nothing can be said about the run here
 */
export async function verifyRun(options: VerifyOptions, notices: Notices): Promise<Verdict> {
  const folder = await RunFolder.open(options.run, () => new Date(), 'expected the folder of a run, e.g. runs/first.')
  try {
    return { equal: true, sentence: `${shownPath(folder.path)} is equal: ${await confirm(folder, options, notices)}.` }
  } catch (error) {
    if (error instanceof Contradiction) return { equal: false, sentence: `${shownPath(folder.path)} is not what it claims to be: ${error.message}.` }
    if (error instanceof ChainError) return { equal: false, sentence: `${shownPath(folder.path)} is not what it claims to be: ${error.message.replace(/\.$/, '')}.` }
    throw error
  }
}

/** @returns what was found to be equal, as a clause @throws Contradiction at the first difference */
async function confirm(folder: RunFolder, options: VerifyOptions, notices: Notices): Promise<string> {
  const claims = await readClaims(folder, options.signedBy)
  const { chain } = claims
  const data = await openData(folder, options, claims, notices)
  const parts = { folder, options, claims, data, notices, ...(await replayable(folder, claims, data, options.init)) }
  requireInit(chain, parts)
  const selected = await select(chain, options.selection, parts.states)
  const signed = claims.signedTo === undefined ? '' : `; its digests are signed up to step ${claims.signedTo}`
  if (selected.stretches.length === 0) return `the chain of its digests is whole up to step ${chain.head.step}, and its checkpoints fit it; no step was replayed${signed}`
  const { steps, lines, checkpoints } = await replayAll(selected, parts)
  return `${counted(steps, 'step')} of ${selected.of} ${steps === 1 ? 'was' : 'were'} replayed, and ${counted(lines, 'noted step')} of ${chain.links.length} and ${counted(checkpoints, 'checkpoint')} are what this machine computes${signed}`
}

interface Parts extends Awaited<ReturnType<typeof replayable>> {
  folder: RunFolder
  options: VerifyOptions
  claims: Claims
  data: OpenedDataset
  notices: Notices
}

/** Opens the data set. @throws Contradiction if it is not the one that the run claims */
async function openData(folder: RunFolder, { data }: VerifyOptions, { chain: { beginning }, recipe }: Claims, notices: Notices): Promise<OpenedDataset> {
  const named = data ?? (await folder.readConfig())['data']
  if (typeof named !== 'string') throw new UsageError('--data is missing: expected the folder of images that the run was trained on.')
  const opened = await checkImages(named, recipe.testFraction, notices)
  const { digest } = opened.dataset
  if (digest !== beginning.datasetDigest) {
    throw new Contradiction(`the images in ${named} are not those that it names (digest ${digest.slice(0, 12)}..., and ${beginning.datasetDigest.slice(0, 12)}...): one was changed, added or removed, or --data is another folder`)
  }
  return opened
}

/**
 * Builds what replaying needs from what the run claims.
 * @param init file of the weights that it began with, if its recipe names one
 * @throws Contradiction if the claims do not fit the data; UsageError if `init` is another file than the recipe names
 */
async function replayable({ checkpoints }: RunFolder, { chain: { beginning }, recipe: claimed }: Claims, { dataset }: OpenedDataset, init: string | undefined) {
  const network = networkOf(claimed, dataset)
  const recipe = { ...claimed, augmentation: withNormalisation(claimed.augmentation, network), evaluation: withNormalisation(claimed.evaluation, network) }
  const layout = withGroupRates(layoutOf(network), network, recipe)
  const optimizer = optimizerOf(recipe.optimizer)
  const schedule = new Schedule({ ...recipe, ...dataset })
  if (recipe.lanes !== beginning.lanes) throw new Contradiction(`its recipe has ${recipe.lanes} lanes, its digests are of ${beginning.lanes}`)
  if (schedule.stepsPerEpoch !== beginning.stepsPerEpoch) throw new Contradiction(`its epochs have ${beginning.stepsPerEpoch} steps, where its images and its batch make ${schedule.stepsPerEpoch}`)
  const initial = typeof recipe.init === 'object' && init === undefined ? undefined : await initialWeights(recipe, network, init)
  const states: StateParts = { folder: checkpoints.path, initial, network, layout, classes: dataset.classes, optimizer, stepsPerEpoch: schedule.stepsPerEpoch }
  return { recipe, schedule, states }
}

/** Makes the weights that a recipe begins with. @throws UsageError if `init` is not the file that it names */
async function initialWeights(recipe: Recipe, network: Network, init: string | undefined): Promise<Float32Array> {
  const named = typeof recipe.init === 'object' ? recipe.init : undefined
  if (init !== undefined && named === undefined) throw new UsageError(`--init ${init}: the run began with weights that follow from its seed; leave the option out.`)
  const begun = await beginningOf(init ?? recipe.init, recipe.seed, thawed(network))
  if (named !== undefined && (typeof begun.init !== 'object' || begun.init.sha256 !== named.sha256)) throw new UsageError(`--init ${init}: the run began with ${named.file} with sha256 ${named.sha256}, which this file is not.`)
  return begun.parameters
}

/** @throws Contradiction if the run began with other weights than its recipe gives */
function requireInit({ beginning }: Chain, { states, recipe, notices }: Pick<Parts, 'states' | 'recipe' | 'notices'>): void {
  if (beginning.from > 0) return
  const { init, seed } = recipe
  const named = typeof init === 'object' ? init.file : init
  if (states.initial === undefined) {
    notices.log.warn(`The run began with weights of ${named}, which are not known here: that its first weights are those is not checked, and steps before its first checkpoint are not replayed. Give the file by --init.`)
    return
  }
  if (parameterDigest(states.initial) !== beginning.weights) throw new Contradiction(`the weights before its first step are not those of --seed ${seed} and --init ${named}: it was begun with another seed, or with other weights`)
}

async function replayAll({ stretches, wrong }: Selected, { claims, options, notices, data: { dataset, source }, recipe, schedule, states, folder }: Parts): Promise<Compared> {
  const { beginning, links } = claims.chain
  const { network, layout, optimizer } = states
  const model = new Model(layout, optimizer, freshState(optimizer, layout.size))
  const run = { ...recipe, name: shownPath(folder.path), network, datasetDigest: dataset.digest, trace: false, audit: { every: beginning.every, stepsPerEpoch: beginning.stepsPerEpoch } }
  // Images are decoded anew: nothing that this machine has kept is believed.
  const { frozen } = await readState(states.initial === undefined ? stretches[0].from.files[0] : undefined, states)
  const single = await openSingleNode({ options: { cacheSize: 0, gpu: options.gpu }, recipe, dataset, network, frozen, schedule }, run, model, source, { observe: () => undefined, onSpan: undefined, log: notices.log, precedent: undefined })
  const total = stepsOf(stretches)
  const progress = notices.progress('replaying')
  try {
    const otherBits = whyOtherBits(single.cluster.status, claims, notices)
    if (otherBits !== undefined && !options.force) throw wrong === undefined ? new RunError(`${otherBits}, so that a difference would prove nothing: verify it on a machine of the same kind, or compare all the same with --force.`) : new Contradiction(wrong)
    if (otherBits !== undefined) notices.log.warn(`${otherBits}: a difference proves nothing.`)
    const sum: Compared = { steps: 0, lines: 0, checkpoints: 0 }
    let done = 0
    for (const stretch of stretches) {
      const compared = await replay(stretch, {
        cluster: single.cluster, model, schedule, recipe, states, frozen, noted: new Map(links.map((link) => [link.step, link])),
        onStep: () => progress.update(++done, total),
      })
      sum.steps += compared.steps
      sum.lines += compared.lines
      sum.checkpoints += compared.checkpoints
    }
    return sum
  } finally {
    progress.end()
    await single.cluster.close()
    await single.close()
  }
}

/** Returns why this machine computes other bits than those of the run, as a clause; undefined if it does not, or nobody knows. */
function whyOtherBits({ fingerprints, inputs }: Pick<ClusterStatus, 'fingerprints' | 'inputs'>, { provenance }: Claims, { log }: Notices): string | undefined {
  if (provenance === undefined || provenance.fingerprints.numerics.length === 0) {
    log.warn('There is no provenance.json with fingerprints to compare this machine with: if it computes other bits than those of the run, a difference proves nothing.')
    return undefined
  }
  const { numerics, input } = provenance.fingerprints
  const [own] = Object.values(fingerprints)
  const [ownInput] = inputs
  if (numerics.some((each) => each !== own)) return `this machine computes other bits than those that the run was computed on (numerics fingerprints ${own}, and ${numerics.join(', ')})`
  if (input.every(({ fingerprint }) => fingerprint === ownInput.fingerprint)) return undefined
  return `this machine prepares images differently than those of the run (input fingerprints ${ownInput.fingerprint}, and ${input.map(({ fingerprint }) => fingerprint).join(', ')})`
}
