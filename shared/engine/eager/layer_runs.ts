import * as tf from '@tensorflow/tfjs-core'
import { isStatistic } from '../../model/layout.ts'
import { madeUp, type LayerRun, type LayerRuns, type LoneLayer } from '../layer_runs.ts'
import { forward, type ParameterTensor } from './layers.ts'

/** Prepares layers for tfjs's current backend. */
export function prepareEagerLayers(layers: readonly LoneLayer[], count: number): LayerRuns {
  const tensors = new Map<string, tf.Tensor>()
  const made = (shape: readonly number[]): tf.Tensor => {
    const key = shape.join('x')
    const tensor = tensors.get(key) ?? tf.tensor(madeUp(shape), [...shape], 'float32')
    tensors.set(key, tensor)
    return tensor
  }
  const empty = made([1])
  return {
    runs: layers.map((layer) => runOf(layer, count, made)),
    nothing: () => tf.tidy(() => tf.reshape(empty, [1, 1]).dataSync()),
    dispose: () => tf.dispose([...tensors.values()]),
  }
}

function runOf({ name, layer, input, output, inputGradient, parameters }: LoneLayer, count: number, made: (shape: readonly number[]) => tf.Tensor): LayerRun {
  const x = made([count, ...input])
  const dy = made([count, ...output])
  const mask = made([count, ...input])
  const values = parameters.map((parameter): ParameterTensor => ({ parameter, tensor: made(parameter.shape) }))
  const stepped = values.filter(({ parameter }) => !isStatistic(parameter))
  const compute = (from: tf.Tensor, given: readonly tf.Tensor[]): tf.Tensor => {
    let index = 0
    const sources = values.map((value) => (isStatistic(value.parameter) ? value : { ...value, tensor: given[index++] }))
    return forward([layer], from, { parameters: sources, masks: [mask] }, () => undefined)
  }
  const once = (): void => tf.tidy(() => void compute(x, stepped.map(({ tensor }) => tensor)).dataSync())
  const variables = [...(inputGradient ? [x] : []), ...stepped.map(({ tensor }) => tensor)]
  // tfjs gives no gradient of a layer that nothing is to be known of.
  if (variables.length === 0) return { name, forward: once, forwardAndBackward: once }
  const gradients = tf.grads((...given: tf.Tensor[]) => (inputGradient ? compute(given[0], given.slice(1)) : compute(x, given)))
  return { name, forward: once, forwardAndBackward: () => tf.tidy(() => gradients(variables, dy).forEach((gradient) => void gradient.dataSync())) }
}
