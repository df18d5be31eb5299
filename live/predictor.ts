import { ComputeProcess } from '../shared/compute/compute_process.ts'
import { decodeTarget, type TransformLists } from '../shared/data/transforms/transforms.ts'
import type { EngineKind } from '../shared/engine/engine.ts'
import { nativeAvailable } from '../shared/engine/native.ts'
import { RunError } from '../shared/kit/errors.ts'
import { networkOfSize } from '../shared/model/image_sizes.ts'
import type { Network } from '../shared/model/network.ts'
import { likeliest, probabilitiesOf } from '../shared/evaluation/probabilities.ts'
import { Turns } from '../shared/kit/async.ts'
import type { PhotoPrediction } from './view.ts'

/** The newest weights of a run. */
export interface Weights {
  network: Network
  /** Transforms of the run: a photograph is prepared as the run prepares the images of an evaluation. */
  transforms: TransformLists
  classes: readonly string[]
  parameters: Float32Array
  step: number
  epoch: number
  /** Engine of the run; if it is native and there is none here, wasm takes its place. */
  engine: EngineKind
}

/** Time without a photograph after which the compute process is ended. */
const IDLE_MS = 60_000
/** Limit of a photograph, 33 megapixels: any viewer may send one, and some formats decode to the whole picture in memory, three bytes a pixel, first. */
const MAX_PHOTOGRAPH_PIXELS = 2 ** 25
/** Niceness of the compute process. A person waits for the answer: on processors busy with training it still gets about a quarter of one. */
const NICENESS = 5
/** Most classes in an answer: more would not be looked at. */
const MAX_CLASSES = 10

interface Started {
  /** Network and engine that it was started for. */
  key: string
  compute: Promise<ComputeProcess>
}

/**
 * Classifies photographs with a run's newest weights, one photograph at a time. They are decoded and computed in a process of its own, which
 * is started on demand and yields to the training: in float32, on the CPU, in one thread.
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
   * Classifies a photograph, after those that were given earlier.
   * @throws DataError if it is no image; EngineError if the engine cannot be loaded; RunError if logits are not finite, or
   *   after `close`; and whatever `newest` throws.
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

  /** Process id of the compute process; undefined if there is none. */
  async pid(): Promise<number | undefined> {
    return (await this.#started?.compute)?.pid
  }

  /** Ends the compute process; a photograph that is being classified is not waited for. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idle)
    await this.#end()
  }

  async #predict(photograph: Buffer): Promise<PhotoPrediction> {
    const weights = await this.#newest()
    const { network, transforms, classes, parameters, step, epoch } = weights
    const compute = await this.#compute(weights)
    compute.setParameters(parameters)
    const { imageSize } = network
    const logits = await compute.photograph(photograph, { evaluation: transforms.evaluation, imageSize, shortSide: decodeTarget(transforms, imageSize), maxPixels: MAX_PHOTOGRAPH_PIXELS })
    const probabilities = probabilitiesOf(logits, network.classes)
    if (probabilities === undefined) throw new RunError(`The weights of step ${step} give no numbers: the training diverged.`)
    return { step, epoch, classes: likeliest(probabilities[0], classes, MAX_CLASSES) }
  }

  async #compute({ network, engine }: Weights): Promise<ComputeProcess> {
    const kind = engine === 'native' && !nativeAvailable() ? 'wasm' : engine
    const key = JSON.stringify({ network, kind })
    if (this.#started?.key === key && (await this.#started.compute).usable) return this.#started.compute
    await this.#end()
    if (this.#closed) throw new RunError('The run ends.')
    const compute = ComputeProcess.start(networkOfSize(network, network.imageSize), { seed: 0, compress: 'none' }, { engine: kind, precision: 'f32', threads: 1, numerics: 'native', gpu: undefined }, { priority: NICENESS })
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
