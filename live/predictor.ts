import { ComputeProcess } from '../shared/compute/compute_process.ts'
import { decodeImage } from '../shared/data/transforms/decode.ts'
import { decodeTarget, type TransformLists } from '../shared/data/transforms/transforms.ts'
import type { EngineKind } from '../shared/engine/engine.ts'
import { nativeAvailable } from '../shared/engine/native.ts'
import { RunError } from '../shared/kit/errors.ts'
import type { Network } from '../shared/model/network.ts'
import { evaluationPixels, likeliest, probabilitiesOf } from '../shared/evaluation/probabilities.ts'
import { Turns } from '../shared/kit/async.ts'
import type { PhotoPrediction } from './view.ts'

/** The newest weights of a run. */
export interface Weights {
  network: Network
  /** Those of the run: a photograph is prepared as it prepares the images that it evaluates. */
  transforms: TransformLists
  classes: readonly string[]
  parameters: Float32Array
  step: number
  epoch: number
  /** What the run computes with; without the native one here, wasm takes its place. */
  engine: EngineKind
}

/** A compute process that nobody asks is ended after so long. */
const IDLE_MS = 60_000
/** A person waits for the answer: on processors that training keeps busy it still gets about a quarter of one. */
const NICENESS = 5
/** More than this many classes are not looked at. */
const MAX_CLASSES = 10

interface Started {
  /** Network and engine that it was started for. */
  key: string
  compute: Promise<ComputeProcess>
}

/**
 * Says what a run's newest weights see in a photograph, one after the other. It computes in a process of its own, which is
 * started when it is needed and steps back behind the training: in float32, on the CPU, in one thread.
 */
export class Predictor {
  readonly #newest: () => Promise<Weights>
  readonly #idleMs: number
  readonly #turns = new Turns()
  #started: Started | undefined
  #idle: NodeJS.Timeout | undefined
  #closed = false

  constructor(newest: () => Promise<Weights>, idleMs = IDLE_MS) {
    this.#newest = newest
    this.#idleMs = idleMs
  }

  /**
   * @throws DataError for what is no image; EngineError where the engine cannot be loaded; RunError where the weights give
   *   no numbers, and what `newest` throws.
   */
  predict(photograph: Buffer): Promise<PhotoPrediction> {
    return this.#turns.take(async () => {
      clearTimeout(this.#idle)
      try {
        return await this.#predict(photograph)
      } finally {
        this.#idle = setTimeout(() => void this.#end(), this.#idleMs).unref()
      }
    })
  }

  /** Process id of the compute process, while there is one. */
  async pid(): Promise<number | undefined> {
    return (await this.#started?.compute)?.pid
  }

  /** No photograph will come, and what is being computed is not waited for. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idle)
    await this.#end()
  }

  async #predict(photograph: Buffer): Promise<PhotoPrediction> {
    const weights = await this.#newest()
    const { network, transforms, classes, parameters, step, epoch } = weights
    const image = await decodeImage(photograph, decodeTarget(transforms, network.imageSize), 'The photograph')
    const compute = await this.#compute(weights)
    compute.setParameters(parameters)
    const probabilities = probabilitiesOf(await compute.logits(evaluationPixels([image], network.imageSize, transforms.evaluation), 1), network.classes)
    if (probabilities === undefined) throw new RunError(`The weights of step ${step} give no numbers: the training diverged.`)
    return { step, epoch, classes: likeliest(probabilities[0], classes, MAX_CLASSES) }
  }

  async #compute({ network, engine }: Weights): Promise<ComputeProcess> {
    const kind = engine === 'native' && !nativeAvailable() ? 'wasm' : engine
    const key = JSON.stringify({ network, kind })
    if (this.#started?.key === key && (await this.#started.compute).usable) return this.#started.compute
    await this.#end()
    if (this.#closed) throw new RunError('The run ends.')
    const compute = ComputeProcess.start(network, { seed: 0, compress: 'none' }, { engine: kind, precision: 'f32', threads: 1, gpu: undefined }, { priority: NICENESS })
    this.#started = { key, compute }
    compute.catch(() => (this.#started = undefined))
    return compute
  }

  async #end(): Promise<void> {
    const started = this.#started
    this.#started = undefined
    await started?.compute.then((compute) => compute.close(), () => undefined)
  }
}
