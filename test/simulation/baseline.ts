import { weightsOf } from '../../coordinator/exchange/reduction.ts'
import { SingleNodeCluster } from '../../coordinator/single_node.ts'
import { train } from '../../coordinator/training.ts'
import { beginning, type EpochResult } from '../../coordinator/contract/progress.ts'
import { parameterDigest } from '../../shared/checkpoint/checkpoint.ts'
import type { Compute } from '../../shared/compute/compute.ts'
import { InputPipeline } from '../../shared/data/input_pipeline.ts'
import { LaneStack } from '../../shared/lanes/lane_stack.ts'
import { scoreTest } from '../../shared/evaluation/score.ts'
import { SoftmaxEngine } from './engine.ts'
import { initialModel, type Problem } from './problem.ts'

/** The result that a run must have, whatever faults it meets. */
export interface Undisturbed {
  digest: string
  /** Digests of the optimizer's moments. */
  momentDigests: string[]
  images: number
  skippedSteps: number
  /** Results of the epochs, without their times. */
  epochs: Omit<EpochResult, 'seconds'>[]
}

/** Computes a problem in this process, lane after lane, without network, workers or clock. */
export async function undisturbed(problem: Problem): Promise<Undisturbed> {
  const { run, samples, test, schedule, decoded, classes } = problem
  const model = initialModel(problem)
  const input = new InputPipeline({ source: { read: () => Promise.resolve([]) }, samples, schedule, network: run.network, augmentation: run.augmentation, evaluation: run.evaluation, seed: run.seed, decoded })
  const cluster = new SingleNodeCluster({ compute: directCompute(problem), inputFacts: { fingerprint: '', versions: '' }, model, input, network: run.network, schedule, lanes: run.lanes, run, samples, test, now: () => 0, residentBytes: () => 0, observe: () => undefined })
  const epochs: Undisturbed['epochs'] = []
  const end = await train(
    {
      cluster, schedule, epochs: problem.epochs, stopsAfter: () => false, rateOf: () => problem.learningRate, onNonfinite: 'skip', now: () => 0, observe: () => undefined, stopRequested: () => false, reached: () => undefined, keepIsDue: () => false, keepStep: () => undefined,
      scoreTest: (blocks) => scoreTest(blocks, samples, test, classes.length),
      hold: () => ({ state: weightsOf(model).snapshot(), since: 0 }),
      keepDigests: () => Promise.resolve(),
      keepEpoch: (result) => {
        epochs.push(withoutTime(result))
        return Promise.resolve()
      },
    },
    beginning,
  )
  const { parameters, moments } = model.state
  return { digest: parameterDigest(parameters), momentDigests: moments.map(parameterDigest), images: end.progress.images, skippedSteps: end.progress.skippedSteps, epochs }
}

export function withoutTime({ epoch, train: score, test, images, skippedSteps }: EpochResult): Omit<EpochResult, 'seconds'> {
  return { epoch, train: score, test, images, skippedSteps }
}

function directCompute({ run, overflowFrom }: Problem): Compute {
  const engine = new SoftmaxEngine(run.network, overflowFrom)
  const stack = new LaneStack(engine, run.network, run, () => 0)
  return {
    info: engine.info, fingerprint: 'simulated', note: undefined,
    setParameters: (parameters) => engine.setParameters(parameters),
    setFrozen: () => undefined,
    push: (lane, node) => Promise.resolve(stack.push(lane, node)),
    add: (node) => stack.add(node),
    take: () => Promise.resolve(stack.take()),
    clear: () => Promise.resolve(stack.clear()),
    logits: (images, count) => Promise.resolve(engine.logits(images, count)),
    close: () => Promise.resolve(),
  }
}
