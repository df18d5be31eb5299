import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { networkOf } from '../../coordinator/prepare.ts'
import { SingleNodeCluster } from '../../coordinator/single_node.ts'
import { chainOf, lineHash, linkOf, type ChainBeginning, type ChainLine } from '../../shared/audit/chain.ts'
import { loadCheckpoint, parameterDigest, saveCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { startCompute } from '../../shared/compute/start.ts'
import type { Compute } from '../../shared/compute/compute.ts'
import { openDataset } from '../../shared/data/dataset.ts'
import { createLog } from '../../shared/kit/log.ts'
import { InputPipeline } from '../../shared/data/input_pipeline.ts'
import { laneDigest } from '../../shared/lanes/audited_steps.ts'
import type { PreparedLane } from '../../shared/lanes/lane_stack.ts'
import { Schedule, type StepPosition } from '../../shared/lanes/sample_schedule.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { copyOfState, freshState } from '../../shared/optim/optimizer.ts'
import { optimizerOf } from '../../shared/optim/optimizers.ts'
import { Model } from '../../shared/optim/stepped_weights.ts'
import { article } from '../../shared/recipe/presets.ts'
import { recipeSchema } from '../../shared/recipe/recipe.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'

/** What a forger does otherwise than the run claims. */
export interface Forgery {
  /** Folder of the images that are really trained on. */
  data: string
  recipe?: Partial<Recipe>
  /** Changes a lane before it is computed. */
  lane?: (lane: PreparedLane) => PreparedLane
  /** Digests that are noted instead of those of the lanes that were computed. */
  noted?: (step: number, lanes: string[]) => string[]
  /** Changes what the first line claims, which is by default what the honest run's does. */
  claims?: (beginning: ChainBeginning) => ChainBeginning
}

const open = (folder: string): Promise<RunFolder> => RunFolder.open(folder, () => new Date())

/** Reads the lines of a run's chain. */
export async function linesOf(folder: string): Promise<ChainLine[]> {
  return (await readFile(path.join(folder, 'digests.jsonl'), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as ChainLine)
}

/** Writes the lines of a chain, with all hashes and heads made right again: nothing but a replay finds what is wrong. */
export async function writeChain(folder: string, lines: readonly ChainLine[]): Promise<void> {
  const made: ChainLine[] = []
  for (const line of lines) made.push('previous' in line ? { ...line, previous: lineHash(made[made.length - 1]) } : line)
  const text = made.map((line) => `${JSON.stringify(line)}\n`).join('')
  const { beginning, head, links } = chainOf(text, 'digests.jsonl')
  await writeFile(path.join(folder, 'digests.jsonl'), text)
  const run = await open(folder)
  const provenance = await run.readProvenance()
  if (provenance === undefined) throw new Error('the run has no provenance.json')
  await run.writeProvenance({ ...provenance, datasetDigest: beginning.datasetDigest, recipe: { ...provenance.recipe, ...beginning.recipe }, digests: head }, undefined)
  const summary = await run.readSummary()
  await run.writeSummary({ ...summary, digest: links.at(-1)?.weights ?? summary.digest, digests: head })
}

/** Changes a checkpoint of a run, under all its names, with its checksum made right again. */
export async function changeCheckpoint(folder: string, epoch: number, change: (parameters: Float32Array, moments: readonly Float32Array[]) => void): Promise<string> {
  const { checkpoints } = await open(folder)
  const checkpoint = await loadCheckpoint(checkpoints.ofEpoch(epoch))
  change(checkpoint.parameters, checkpoint.moments)
  await saveCheckpoint(checkpoints.ofEpoch(epoch), checkpoint)
  await rm(checkpoints.ofStep(checkpoint.position.step))
  return parameterDigest(checkpoint.parameters)
}

/**
 * Makes a copy of an honest run whose weights come from another training, with everything that can be checked without computing made to agree. The
 * run must note every step, and keep a checkpoint of every epoch.
 */
export async function forgeRun(honest: string, out: string, { data, recipe: other = {}, lane: changed = (lane) => lane, noted = (_step, lanes) => lanes, claims = (beginning) => beginning }: Forgery): Promise<void> {
  await cp(honest, out, { recursive: true })
  const { checkpoints } = await open(out)
  const [beginning, ...links] = await linesOf(honest)
  if (!('recipe' in beginning)) throw new Error('a chain begins with its claims')
  const recipe = { ...recipeSchema.parse({ ...article, ...beginning.recipe, epochs: 1, onNonfinite: 'skip' }), ...other }
  const { dataset, source } = await openDataset(data, { testFraction: recipe.testFraction, cacheFolder: path.join(out, 'cache'), warn: () => undefined, onProgress: () => undefined })
  const network = networkOf(recipe, dataset)
  const layout = layoutOf(network)
  const optimizer = optimizerOf(recipe.optimizer)
  const schedule = new Schedule({ ...recipe, ...dataset })
  const model = new Model(layout, optimizer, { ...freshState(optimizer, layout.size), parameters: initialParameters(layout, recipe.seed, recipe.init) })
  const input = new InputPipeline({ source, samples: dataset.samples, schedule, network, augmentation: recipe.augmentation, evaluation: recipe.evaluation, seed: recipe.seed, audit: { every: 1, stepsPerEpoch: 1 } })
  const compute = dishonest(await startCompute(network, recipe, { ...recipe, gpu: undefined }, createLog({ quiet: true, verbose: false, logFormat: 'pretty' })), changed)
  const cluster = new SingleNodeCluster({ compute, inputFacts: { fingerprint: '', versions: '' }, model, input, network, schedule, lanes: recipe.lanes, run: recipe, samples: dataset.samples, test: dataset.test, now: () => 0, residentBytes: () => 0, observe: () => undefined })

  const lines: ChainLine[] = [claims(beginning)]
  let at: StepPosition = { epoch: 1, stepInEpoch: 0, step: 0 }
  while (at.step < links.length) {
    const { lanes } = await cluster.trainStep(at, { samples: schedule.batch(at.epoch, at.stepInEpoch).length, update: at.step + 1, rate: recipe.lr })
    lines.push(linkOf(beginning, at.step + 1, parameterDigest(model.parameters), noted(at.step + 1, lanes.map(({ digest }) => digest ?? '')), ''.padEnd(64, '0')))
    const { epoch } = at
    at = schedule.next(at)
    if (at.epoch > epoch) await saveCheckpoint(checkpoints.ofEpoch(epoch), { ...(await loadCheckpoint(checkpoints.ofEpoch(epoch))), ...copyOfState(model.state) })
    await rm(checkpoints.ofStep(at.step), { force: true })
  }
  await rm(checkpoints.latest)
  await cluster.close()
  await writeChain(out, lines)
}

/** A compute that changes lanes before it computes them. */
function dishonest(compute: Compute, changed: (lane: PreparedLane) => PreparedLane): Compute {
  return {
    info: compute.info, fingerprint: compute.fingerprint, note: compute.note,
    setParameters: (parameters) => compute.setParameters(parameters),
    setFrozen: (parameters) => compute.setFrozen(parameters),
    push: (lane, node) => compute.push(changed(lane), node),
    add: (node) => compute.add(node),
    take: () => compute.take(),
    clear: () => compute.clear(),
    logits: (images, count) => compute.logits(images, count),
    close: () => compute.close(),
  }
}

/** Leaves out all images of a lane, so that its gradient is zero. */
export const emptied = (lane: PreparedLane): PreparedLane => ({ ...lane, samples: [], labels: [], images: new Uint8Array() })
export const digestOfNothing = (floats: number): string => laneDigest(new Float32Array(floats))
