import type { DecodedCache } from '../shared/data/caches/decoded_cache.ts'
import { openDecoded } from '../shared/data/caches/open_decoded.ts'
import { inputFacts } from '../shared/data/input_fingerprint.ts'
import { InputPipeline } from '../shared/data/input_pipeline.ts'
import { decodeTarget } from '../shared/data/transforms/transforms.ts'
import type { ImageSource } from '../shared/data/sources/image_source.ts'
import { startCompute } from '../shared/compute/start.ts'
import { RunError } from '../shared/kit/errors.ts'
import type { Log } from '../shared/kit/log.ts'
import { cacheFolder } from '../shared/kit/paths.ts'
import type { Model } from '../shared/optim/stepped_weights.ts'
import { machineSeconds, tracing, type Span } from '../shared/trace/span.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import type { Observer } from './contract/events.ts'
import { BEFORE, differenceFrom, type Precedent } from './cluster/admission.ts'
import type { PreparedRun } from './prepare.ts'
import { SingleNodeCluster } from './single_node.ts'

/**
 * Opens a cluster that consists of this process alone, with its engine and its image pipeline.
 * @param precedent fingerprints that this machine's have to equal; undefined if any will do
 * @returns the cluster, and `close`, which closes the cache of decoded images
 * @throws EngineError if the engine cannot be loaded; RunError if this machine computes other bits than the run did before it was resumed
 */
export async function openSingleNode(
  { options, recipe, dataset, network, frozen, schedule }: Pick<PreparedRun, 'recipe' | 'dataset' | 'network' | 'frozen' | 'schedule'> & { options: Pick<PreparedRun['options'], 'cacheSize' | 'gpu'> }, run: RunDescription, model: Model, source: ImageSource, { observe, onSpan, log, precedent }: { observe: Observer; onSpan: ((span: Span) => void) | undefined; log: Log; precedent: Precedent | undefined },
): Promise<{ cluster: SingleNodeCluster; close: () => Promise<void> }> {
  const { samples, test } = dataset
  const decoded: DecodedCache = await openDecoded({ cacheFolder: cacheFolder(), fileBytes: options.cacheSize, samples, shortSide: decodeTarget(recipe, network.imageSize), log })
  try {
    const input = new InputPipeline({ source, samples, schedule, network, augmentation: recipe.augmentation, evaluation: recipe.evaluation, seed: recipe.seed, audit: run.audit, decoded, ...tracing(onSpan) })
    const { engine, precision, threads, numerics } = recipe
    const compute = await startCompute(network, recipe, { engine, precision, threads, numerics, gpu: options.gpu }, log)
    if (frozen.length > 0) compute.setFrozen(frozen)
    const facts = await inputFacts(recipe, network.imageSize)
    requireAlike(precedent, { numerics: compute.fingerprint, input: facts.fingerprint })
    const cluster = new SingleNodeCluster({
      compute, inputFacts: facts, model, input, network, schedule, lanes: recipe.lanes, run, samples, test,
      now: machineSeconds, residentBytes: () => process.memoryUsage.rss(), observe, ...tracing(onSpan),
    })
    return { cluster, close: () => decoded.close() }
  } catch (error) {
    await decoded.close()
    throw error
  }
}

function requireAlike(precedent: Precedent | undefined, own: Precedent): void {
  const difference = precedent === undefined ? undefined : differenceFrom(precedent, own, BEFORE)
  if (difference !== undefined) throw new RunError(`this machine ${difference}: the result would not be that of a run that was never stopped. Go on where it began, or take --allow-mixed-numerics.`)
}
