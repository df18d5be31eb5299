import { inputShape, placedLayers, walkLayers, type Network, type PlacedLayer, type SimpleLayer } from '../../shared/model/network.ts'

/** A layer in the JSON that Keras and TensorFlow.js share. */
interface KerasLayer {
  class_name: string
  name: string
  config: Record<string, unknown>
  inbound_nodes: [string, number, number, object][][]
}

/** Name of the layer that turns pixel values 0..255 into the network's input. */
const NORMALISATION_LAYER = 'normalise'
const INPUT_LAYER = 'image'
/** Settings of a batch normalisation that computes (x - mean) / sqrt(variance) with constants, and has nothing to learn. */
const FIXED_NORMALISATION = { trainable: false, axis: -1, momentum: 0.99, epsilon: 0, center: false, scale: false }

/** A fixed normalisation that the topology has beside the network's own layers: the layer's name, and its weights. */
interface FixedNormalisation {
  name: string
  mean: readonly number[]
  variance: readonly number[]
}

/** Returns the weights of all fixed normalisations: pixel values enter the first, and each hard-swish has one, which computes (x + 3) / 6. */
export function fixedNormalisations(network: Network): FixedNormalisation[] {
  return [
    // (value / 255 - mean) / std = (value - 255 mean) / sqrt((255 std)^2)
    { name: NORMALISATION_LAYER, mean: network.mean.map((mean) => 255 * mean), variance: network.std.map((std) => (255 * std) ** 2) },
    ...walkLayers(network).filter(({ layer }) => layer.type === 'hardSwish').map(({ name, input }) => {
      const perChannel = (value: number): number[] => Array.from({ length: input[input.length - 1] }, () => value)
      return { name: gateName(name), mean: perChannel(-3), variance: perChannel(36) }
    }),
  ]
}

function gateName(hardSwish: string): string {
  return `${hardSwish}_gate`
}

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
      if (layer.type === 'hardSwish') return hardSwish(name, before)
      const { className, config } = kerasLayer(layer)
      return add(className, name, config, [before])
    }, input)

  /** Keras has no layer for it everywhere: x min(max((x + 3) / 6, 0), 1) is made of three. */
  const hardSwish = (name: string, x: string): string => {
    const share = add('BatchNormalization', gateName(name), FIXED_NORMALISATION, [x])
    return add('Multiply', name, {}, [x, add('ReLU', `${name}_clipped`, { max_value: 1 }, [share])])
  }

  const image = add('InputLayer', INPUT_LAYER, { batch_input_shape: [null, ...inputShape(network)], dtype: 'float32', sparse: false }, [])
  const normalised = add('BatchNormalization', NORMALISATION_LAYER, FIXED_NORMALISATION, [image])
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

function kerasLayer(layer: Exclude<SimpleLayer, { type: 'hardSwish' }>): { className: string; config: object } {
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
    case 'relu6':
      return { className: 'Activation', config: { activation: layer.type } }
    case 'silu':
      return { className: 'Activation', config: { activation: 'swish' } }
    case 'zeroPad': {
      const { before, after } = layer
      return { className: 'ZeroPadding2D', config: { padding: [[before, after], [before, after]], data_format } }
    }
  }
}
