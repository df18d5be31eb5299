import * as tf from '@tensorflow/tfjs-core'
import { EngineError } from '../../kit/errors.ts'
import { dropoutLayers, type Network } from '../../model/network.ts'
import { isStatistic, layoutOf, viewOf, type Layout } from '../../model/layout.ts'
import type { Engine, EngineInfo, EngineKind, EngineOptions, LaneInput, LaneResult } from '../engine.ts'
import { checkImages, checkLane, checkVector } from '../input_check.ts'
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
  #parameters: ParameterTensor[] = []

  constructor(network: Network, info: EngineInfo) {
    this.#network = network
    this.#layout = layoutOf(network)
    this.info = info
  }

  setParameters(parameters: Float32Array): void {
    checkVector('parameters', parameters, this.#layout)
    this.#release()
    // A backend may keep the array that a tensor is made from, so it gets a copy.
    this.#parameters = this.#layout.parameters.map((parameter) => ({ parameter, tensor: tf.tensor(viewOf(parameters, parameter).slice(), [...parameter.shape], 'float32') }))
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
        const parameters = this.#parameters.map((entry) => (isStatistic(entry.parameter) ? entry : { parameter: entry.parameter, tensor: stepped[index++] }))
        const logits = forward(this.#network.layers, images, { parameters, masks }, ({ parameter, tensor }) => {
          const copy = tf.keep(tf.clone(tensor))
          kept.push(copy)
          statistics.push({ parameter, tensor: copy })
        }) as tf.Tensor2D
        correct = tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'int32')).dataSync()[0]
        return crossEntropySum(this.#network, logits, labels, lane.partners)
      }
      const stepped = this.#parameters.filter(({ parameter }) => !isStatistic(parameter))
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
      const logits = forward(this.#network.layers, this.#images(images, count), { parameters: this.#parameters, masks: undefined }, () => undefined)
      return Float32Array.from(logits.dataSync<'float32'>())
    })
  }

  tensorCount(): number {
    return tf.memory().numTensors
  }

  dispose(): void {
    this.#release()
  }

  #images(images: Uint8Array, count: number): tf.Tensor4D {
    const { imageSize } = this.#network
    return normalise(this.#network, tf.tensor4d(Float32Array.from(images), [count, imageSize, imageSize, 3]))
  }

  #release(): void {
    for (const { tensor } of this.#parameters) tensor.dispose()
    this.#parameters = []
  }
}
