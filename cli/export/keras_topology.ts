import { inputShape, placedLayers, type Network, type PlacedLayer, type SimpleLayer } from '../../shared/model/network.ts'

/** A layer in the JSON that Keras and TensorFlow.js share. */
interface KerasLayer {
  class_name: string
  name: string
  config: Record<string, unknown>
  inbound_nodes: [string, number, number, object][][]
}

/** Name of the layer that turns pixel values 0..255 into the network's input. */
export const NORMALISATION_LAYER = 'normalise'
const INPUT_LAYER = 'image'

/**
 * Describes the network as a functional Keras model. Layers are named as in Herd's layout ("conv2d_3"), so that weights have
 * Herd's names too. Its input is float32 [batch, imageSize, imageSize, 3] of pixel values 0..255; the first layer
 * normalises them, as a batch normalisation without learnt parameters. Its output is logits.
 */
export function kerasTopology(network: Network): object {
  const layers: KerasLayer[] = []
  const add = (class_name: string, name: string, config: object, inputs: string[]): string => {
    layers.push({ class_name, name, config: { name, ...config }, inbound_nodes: inputs.length === 0 ? [] : [inputs.map((input) => [input, 0, 0, {}])] })
    return name
  }

  const walk = (placed: readonly PlacedLayer[], input: string): string =>
    placed.reduce((before, { name, layer, branches }) => {
      if (branches !== undefined) return add('Add', name, {}, [walk(branches.main, before), walk(branches.shortcut, before)])
      const { className, config } = kerasLayer(layer)
      return add(className, name, config, [before])
    }, input)

  const image = add('InputLayer', INPUT_LAYER, { batch_input_shape: [null, ...inputShape(network)], dtype: 'float32', sparse: false }, [])
  const normalised = add('BatchNormalization', NORMALISATION_LAYER, { trainable: false, axis: -1, momentum: 0.99, epsilon: 0, center: false, scale: false }, [image])
  const logits = walk(placedLayers(network), normalised)
  return {
    keras_version: '2.15.0',
    backend: 'tensorflow',
    model_config: {
      class_name: 'Functional',
      config: { name: network.name, layers, input_layers: [[image, 0, 0]], output_layers: [[logits, 0, 0]] },
    },
  }
}

function kerasLayer(layer: SimpleLayer): { className: string; config: object } {
  const data_format = 'channels_last'
  switch (layer.type) {
    case 'conv2d':
    case 'depthwiseConv2d': {
      const config = { kernel_size: [layer.kernel, layer.kernel], strides: [layer.stride, layer.stride], padding: layer.padding, use_bias: layer.bias, activation: 'linear', data_format }
      return layer.type === 'conv2d'
        ? { className: 'Conv2D', config: { filters: layer.filters, ...config } }
        : { className: 'DepthwiseConv2D', config: { depth_multiplier: 1, ...config } }
    }
    case 'maxPool':
    case 'averagePool':
      return {
        className: layer.type === 'maxPool' ? 'MaxPooling2D' : 'AveragePooling2D',
        config: { pool_size: [layer.size, layer.size], strides: [layer.stride, layer.stride], padding: layer.padding, data_format },
      }
    case 'globalAveragePool':
      return { className: 'GlobalAveragePooling2D', config: { data_format } }
    case 'dense':
      return { className: 'Dense', config: { units: layer.units, use_bias: layer.bias, activation: 'linear' } }
    case 'batchNorm':
      return { className: 'BatchNormalization', config: { axis: -1, momentum: layer.momentum, epsilon: layer.epsilon, center: true, scale: true } }
    case 'dropout':
      return { className: 'Dropout', config: { rate: layer.rate } }
    case 'flatten':
      return { className: 'Flatten', config: { data_format } }
    case 'relu':
      return { className: 'Activation', config: { activation: 'relu' } }
  }
}
