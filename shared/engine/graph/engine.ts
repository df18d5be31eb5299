import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core'
import type * as TensorFlowNode from '@tensorflow/tfjs-node'
import { EngineError, messageOf } from '../../kit/errors.ts'
import { dropoutLayers, type Network } from '../../model/network.ts'
import { frozenLayoutOf, isStatistic, layoutOf, viewOf, wholeLayoutOf, type Layout, type Parameter } from '../../model/layout.ts'
import type { Engine, EngineInfo, EngineOptions, LaneInput, LaneResult } from '../engine.ts'
import { checkFrozen, checkImages, checkLane, checkVector } from '../input_check.ts'
import { loadNative, type NativeOptions } from '../native.ts'
import { formsFor, type GraphForms } from './forms.ts'
import { CORRECT, feedsWords, IMAGES, isFedToTrain, LABELS, LOGITS, LOSS_SUM, maskName, wordsPerImage, writeTrainingModel, PARTNER_LABELS, SHARE } from './training_graph.ts'

type SavedModel = Awaited<ReturnType<typeof TensorFlowNode.node.loadSavedModel>>

export interface GraphOptions extends EngineOptions, NativeOptions {
  /** Form of the graph; by default the one that `formsFor` chooses. */
  forms?: GraphForms
}

/**
 * Compiles the network to a TensorFlow graph, forward and backward, and loads it into native TensorFlow.
 * @param network one that `checkNetwork` accepts.
 * @throws EngineError if native TensorFlow is not set up, cannot be loaded, or refuses the graph.
 */
export async function createGraphEngine(network: Network, options: GraphOptions): Promise<Engine> {
  const { tf, version, device } = loadNative(options)
  const forms = options.forms ?? formsFor(options.precision, device, options)
  const folder = await mkdtemp(join(tmpdir(), 'herd-graph-'))
  try {
    await writeTrainingModel(folder, network, wholeLayoutOf(network), options.precision, forms)
    // Both signatures share one session, since tfjs-node recognises the folder.
    const train = await tf.node.loadSavedModel(folder, ['serve'], 'train')
    const infer = await tf.node.loadSavedModel(folder, ['serve'], 'infer')
    const info: EngineInfo = { kind: 'native', mode: 'graph', precision: options.precision, threads: options.threads, device, version: `TensorFlow ${version}` }
    return new GraphEngine(tf, network, train, infer, info, feedsWords(forms))
  } catch (error) {
    throw new EngineError(`The graph of network ${network.name} cannot be loaded into TensorFlow ${version}: ${messageOf(error)}`, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

class GraphEngine implements Engine {
  readonly info: EngineInfo
  readonly #tf: typeof TensorFlowNode
  readonly #network: Network
  readonly #layout: Layout
  readonly #train: SavedModel
  readonly #infer: SavedModel
  readonly #feedsWords: boolean
  readonly #frozenLayout: Layout
  /** Memory of the parameters' tensors; TensorFlow reads from it as long as they live. */
  readonly #vector: Float32Array
  readonly #frozenVector: Float32Array
  #parameters: Tensor[] = []
  #frozen: Tensor[] = []

  constructor(tf: typeof TensorFlowNode, network: Network, train: SavedModel, infer: SavedModel, info: EngineInfo, feedsWords: boolean) {
    this.#tf = tf
    this.#network = network
    this.#layout = layoutOf(network)
    this.#frozenLayout = frozenLayoutOf(network)
    this.#train = train
    this.#infer = infer
    this.info = info
    this.#feedsWords = feedsWords
    this.#vector = new Float32Array(this.#layout.size)
    this.#frozenVector = new Float32Array(this.#frozenLayout.size)
  }

  setParameters(parameters: Float32Array): void {
    checkVector('parameters', parameters, this.#layout)
    this.#tf.dispose(this.#parameters)
    this.#vector.set(parameters)
    this.#parameters = this.#layout.parameters.map((parameter) => this.#floats(viewOf(this.#vector, parameter), [...parameter.shape]))
  }

  setFrozen(parameters: Float32Array): void {
    checkVector('frozen parameters', parameters, this.#frozenLayout)
    this.#tf.dispose(this.#frozen)
    this.#frozenVector.set(parameters)
    this.#frozen = this.#frozenLayout.parameters.map((parameter) => this.#floats(viewOf(this.#frozenVector, parameter), [...parameter.shape]))
  }

  laneGradient(lane: LaneInput, gradient: Float32Array): LaneResult {
    checkLane(lane, this.#network)
    checkVector('gradient', gradient, this.#layout)
    const count = lane.labels.length
    const masks = dropoutLayers(this.#network).map(({ shape }, index) => [maskName(index), this.#floats(lane.masks[index], [count, ...shape])] as const)
    const outputs = this.#run(this.#train, this.#parameterInputs(isFedToTrain), {
      ...Object.fromEntries(masks),
      [IMAGES]: this.#words(lane.images, count),
      [LABELS]: this.#tf.tensor1d(lane.labels, 'int32'),
      ...(lane.partners === undefined ? {} : { [PARTNER_LABELS]: this.#tf.tensor1d(lane.partners.labels, 'int32'), [SHARE]: this.#floats(lane.partners.share, [count, 1]) }),
    })
    for (const parameter of this.#layout.parameters) {
      const part = viewOf(gradient, parameter)
      part.set(outputs[parameter.name])
      if (isStatistic(parameter)) for (let i = 0; i < part.length; i++) part[i] *= count
    }
    return { lossSum: outputs[LOSS_SUM][0], correct: outputs[CORRECT][0] }
  }

  logits(images: Uint8Array, count: number): Float32Array {
    checkImages(images, count, this.#network)
    return Float32Array.from(this.#run(this.#infer, this.#parameterInputs(() => true), { [IMAGES]: this.#words(images, count) })[LOGITS])
  }

  tensorCount(): number {
    return this.#tf.memory().numTensors
  }

  dispose(): void {
    this.#tf.dispose([...this.#parameters, ...this.#frozen])
    this.#parameters = []
    this.#frozen = []
    this.#train.dispose()
    this.#infer.dispose()
  }

  /** Runs a signature and reads its outputs; disposes of the tensors that were fed. */
  #run(model: SavedModel, parameters: NamedTensorMap, fed: NamedTensorMap): Record<string, Float32Array | Int32Array> {
    try {
      const outputs = model.predict({ ...parameters, ...fed }) as NamedTensorMap
      const values = Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.dataSync<'float32' | 'int32'>()]))
      this.#tf.dispose(outputs)
      return values
    } finally {
      this.#tf.dispose(fed)
    }
  }

  #parameterInputs(isFed: (parameter: Parameter) => boolean): NamedTensorMap {
    checkFrozen(this.#frozen.length, this.#frozenLayout)
    const tensors = [...this.#parameters, ...this.#frozen]
    const parameters = [...this.#layout.parameters, ...this.#frozenLayout.parameters]
    return Object.fromEntries(parameters.flatMap((parameter, index) => (isFed(parameter) ? [[parameter.name, tensors[index]]] : [])))
  }

  /** Makes a tensor for a float32 input of the graph, over the same memory. */
  #floats(values: Float32Array, shape: number[]): Tensor {
    return this.#feedsWords
      ? this.#tf.tensor(new Int32Array(values.buffer, values.byteOffset, values.length), shape, 'int32')
      : this.#tf.tensor(values, shape, 'float32')
  }

  /** Makes an int32 tensor [count, wordsPerImage] of the images' bytes: over the same memory, unless an image's bytes are not whole words or not aligned to words. */
  #words(images: Uint8Array, count: number): Tensor {
    const words = wordsPerImage(this.#network)
    const size = images.length / count
    if (size === words * 4 && images.byteOffset % 4 === 0) {
      return this.#tf.tensor2d(new Int32Array(images.buffer, images.byteOffset, count * words), [count, words], 'int32')
    }
    const padded = new Uint8Array(count * words * 4)
    for (let i = 0; i < count; i++) padded.set(images.subarray(i * size, (i + 1) * size), i * words * 4)
    return this.#tf.tensor2d(new Int32Array(padded.buffer), [count, words], 'int32')
  }
}
