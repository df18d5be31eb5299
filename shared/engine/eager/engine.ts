import * as tf from '@tensorflow/tfjs-core'
import { EngineError } from '../../kit/errors.ts'
import { dropoutLayers, type Network } from '../../model/network.ts'
import { frozenLayoutOf, isStatistic, layoutOf, viewOf, wholeLayoutOf, type Layout } from '../../model/layout.ts'
import type { Engine, EngineInfo, EngineKind, EngineOptions, LaneInput, LaneResult } from '../engine.ts'
import { checkFrozen, checkImages, checkLane, checkVector } from '../input_check.ts'
import { crossEntropySum, forward, normalise, type ParameterTensor } from './layers.ts'

/** Description of the backend that the caller has made tfjs's current one. */
export interface EagerBackend {
  kind: EngineKind
  device: string
  version: string
}

/**
 * Creates an engine that computes with tfjs's own operations and autodiff, on tfjs's current backend.
 * @throws EngineError for bf16, for which tfjs has no type.
 */
export function createEagerEngine(network: Network, options: EngineOptions & EagerBackend): Engine {
  if (options.precision !== 'f32') throw new EngineError(`precision ${options.precision} needs the native engine; this one computes in f32 only: use --precision f32.`)
  const { kind, device, version, threads, precision } = options
  return new EagerEngine(network, { kind, mode: 'eager', precision, threads, device, version })
}

class EagerEngine implements Engine {
  readonly info: EngineInfo
  readonly #network: Network
  readonly #layout: Layout
  readonly #frozenLayout: Layout
  /** Names of all parameters, in the order of computation. */
  readonly #names: readonly string[]
  #trained: ParameterTensor[] = []
  #frozen: ParameterTensor[] = []

  constructor(network: Network, info: EngineInfo) {
    this.#network = network
    this.#layout = layoutOf(network)
    this.#frozenLayout = frozenLayoutOf(network)
    this.#names = wholeLayoutOf(network).parameters.map(({ name }) => name)
    this.info = info
  }

  setParameters(parameters: Float32Array): void {
    checkVector('parameters', parameters, this.#layout)
    this.#trained = tensorsOf(parameters, this.#layout, this.#trained)
  }

  setFrozen(parameters: Float32Array): void {
    checkVector('frozen parameters', parameters, this.#frozenLayout)
    this.#frozen = tensorsOf(parameters, this.#frozenLayout, this.#frozen)
  }

  laneGradient(lane: LaneInput, gradient: Float32Array): LaneResult {
    checkLane(lane, this.#network)
    checkVector('gradient', gradient, this.#layout)
    const count = lane.labels.length
    return tf.tidy(() => {
      const images = this.#images(lane.images, count)
      const labels = tf.tensor1d(lane.labels.slice(), 'int32')
      const masks = dropoutLayers(this.#network).map(({ shape }, index) => tf.tensor(lane.masks[index].slice(), [count, ...shape], 'float32'))
      const kept: tf.Tensor[] = []
      const statistics: ParameterTensor[] = []
      let correct = 0
      const loss = (...stepped: tf.Tensor[]): tf.Scalar => {
        let index = 0
        const trained = this.#trained.map((entry) => (isStatistic(entry.parameter) ? entry : { parameter: entry.parameter, tensor: stepped[index++] }))
        const parameters = this.#inOrder(trained)
        const logits = forward(this.#network.layers, images, { parameters, masks }, ({ parameter, tensor }) => {
          const copy = tf.keep(tf.clone(tensor))
          kept.push(copy)
          statistics.push({ parameter, tensor: copy })
        }) as tf.Tensor2D
        correct = tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'int32')).dataSync()[0]
        return crossEntropySum(this.#network, logits, labels, lane.partners)
      }
      const stepped = this.#trained.filter(({ parameter }) => !isStatistic(parameter))
      const { value, grads } = tf.valueAndGrads(loss)(stepped.map(({ tensor }) => tensor))
      stepped.forEach(({ parameter }, index) => viewOf(gradient, parameter).set(grads[index].dataSync<'float32'>()))
      for (const { parameter, tensor } of statistics) viewOf(gradient, parameter).set(tf.mul(tensor, count).dataSync<'float32'>())
      tf.dispose(kept)
      return { lossSum: value.dataSync()[0], correct }
    })
  }

  logits(images: Uint8Array, count: number): Float32Array {
    checkImages(images, count, this.#network)
    return tf.tidy(() => {
      const logits = forward(this.#network.layers, this.#images(images, count), { parameters: this.#inOrder(this.#trained), masks: undefined }, () => undefined)
      return Float32Array.from(logits.dataSync<'float32'>())
    })
  }

  tensorCount(): number {
    return tf.memory().numTensors
  }

  dispose(): void {
    for (const { tensor } of [...this.#trained, ...this.#frozen]) tensor.dispose()
    this.#trained = []
    this.#frozen = []
  }

  /** Puts all parameters into the order in which the layers take them. */
  #inOrder(trained: readonly ParameterTensor[]): ParameterTensor[] {
    checkFrozen(this.#frozen.length, this.#frozenLayout)
    const byName = new Map([...trained, ...this.#frozen].map((entry) => [entry.parameter.name, entry]))
    return this.#names.map((name) => byName.get(name)!)
  }

  #images(images: Uint8Array, count: number): tf.Tensor4D {
    const { imageSize } = this.#network
    return normalise(this.#network, tf.tensor4d(Float32Array.from(images), [count, imageSize, imageSize, 3]))
  }
}

/** Makes the tensors of a vector. @param former those that they replace, which are disposed of */
function tensorsOf(vector: Float32Array, layout: Layout, former: readonly ParameterTensor[]): ParameterTensor[] {
  for (const { tensor } of former) tensor.dispose()
  // A backend may keep the array that a tensor is made from, so it gets a copy.
  return layout.parameters.map((parameter) => ({ parameter, tensor: tf.tensor(viewOf(vector, parameter).slice(), [...parameter.shape], 'float32') }))
}
