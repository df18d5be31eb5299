import type { Layer, Network, Shape, SimpleLayer } from '../../model/network.ts'
import { outputShape } from '../../model/network.ts'
import type { Parameter, ParameterRole } from '../../model/layout.ts'
import type { GraphForms } from './forms.ts'
import { productConvolution } from './product_convolution.ts'
import type { NodeBuilder, Value, ValueType } from './node_builder.ts'

/** A parameter and the float32 value that feeds it. */
export interface ParameterValue {
  readonly parameter: Parameter
  readonly value: Value
}

type Of<T extends SimpleLayer['type']> = Extract<SimpleLayer, { type: T }>

/** Record of a layer's forward pass, with the values that its backward pass needs. */
export type Step =
  | { type: 'conv2d' | 'depthwiseConv2d'; layer: Of<'conv2d' | 'depthwiseConv2d'>; input: Value; inputShape: Shape; kernel: Value; kernelParameter: Parameter; biasParameter: Parameter | undefined }
  | { type: 'dense'; input: Value; kernel: Value; kernelParameter: Parameter; biasParameter: Parameter | undefined }
  | { type: 'relu' | 'relu6'; output: Value }
  | { type: 'silu'; sigmoid: Value; output: Value }
  | { type: 'hardSwish'; input: Value; gate: Value }
  | { type: 'zeroPad'; layer: Of<'zeroPad'>; inputShape: Shape }
  | { type: 'maxPool'; layer: Of<'maxPool'>; input: Value; output: Value }
  | { type: 'averagePool'; layer: Of<'averagePool'>; input: Value }
  | { type: 'globalAveragePool'; input: Value; inputShape: Shape }
  | { type: 'reshape'; inputShape: Shape }
  | { type: 'cast'; from: ValueType }
  | { type: 'dropout'; mask: Value }
  | { type: 'batchNorm'; layer: Of<'batchNorm'>; input: Value; gamma: ParameterValue; betaParameter: Parameter; reserved: readonly Value[] }
  | { type: 'frozenNorm'; layer: Of<'batchNorm'>; gamma: Value; variance: Value }
  | { type: 'residual'; main: readonly Step[]; shortcut: readonly Step[] }

export interface ForwardPass {
  logits: Value
  steps: readonly Step[]
  /** The batch statistics of each batch norm layer, for its running averages. */
  statistics: readonly ParameterValue[]
}

export interface ForwardSources {
  /** Parameters in the order of the layout, which is the order in which the layers take them. */
  parameters: readonly ParameterValue[]
  /** Dropout masks, float32, in the order of `dropoutLayers`; undefined for inference. */
  masks: readonly Value[] | undefined
  /** Type in which convolutions and matrix products are computed. */
  type: 'float32' | 'bfloat16'
  /** Form of the graph; by default with the library's own operations. */
  forms?: GraphForms
}

/** Returns padding and strides as attributes of TensorFlow's operations over images. */
export function windowAttributes(layer: { stride: number; padding: 'valid' | 'same' }): { strides: { ints: readonly number[] }; padding: { string: string } } {
  return { strides: { ints: [1, layer.stride, layer.stride, 1] }, padding: { string: layer.padding.toUpperCase() } }
}

export function poolAttributes(layer: { size: number; stride: number; padding: 'valid' | 'same' }): ReturnType<typeof windowAttributes> & { ksize: { ints: readonly number[] } } {
  return { ksize: { ints: [1, layer.size, layer.size, 1] }, ...windowAttributes(layer) }
}

/**
 * Puts each maximum pooling before the ReLU or ReLU6 that it follows. ReLU keeps the largest of some values if it is positive and otherwise makes all
 * of them zero, so the two commute, and so do their gradients; behind the pooling, ReLU and its gradient have only a fraction of the values. So it is with
 * ReLU6, whose gradient is zero wherever the largest value is beyond 6. Of the other activations none commutes: they fall before they rise.
 */
function poolFirst(layers: readonly Layer[]): Layer[] {
  const order = [...layers]
  for (let index = 1; index < order.length; index++) {
    if (['relu', 'relu6'].includes(order[index - 1].type) && order[index].type === 'maxPool') [order[index - 1], order[index]] = [order[index], order[index - 1]]
  }
  return order
}

/** Emits the layers one after the other, and records what the backward pass needs. */
class Forward {
  readonly steps: Step[] = []
  readonly #graph: NodeBuilder
  readonly #take: (role: ParameterRole) => ParameterValue
  readonly #takeMask: (() => Value) | undefined
  readonly #statistics: ParameterValue[]
  readonly #forms: GraphForms

  constructor(graph: NodeBuilder, take: (role: ParameterRole) => ParameterValue, takeMask: (() => Value) | undefined, statistics: ParameterValue[], forms: GraphForms) {
    this.#graph = graph
    this.#forms = forms
    this.#take = take
    this.#takeMask = takeMask
    this.#statistics = statistics
  }

  layers(layers: readonly Layer[], x: Value, inputShape: Shape): Value {
    let shape = inputShape
    for (const layer of poolFirst(layers)) {
      const input = x
      x = this.#graph.within(layer.type, () => this.#layer(layer, input, shape))
      shape = outputShape(layer, shape)
    }
    return x
  }

  /** Casts a value to another type, and records this as a step, so that the gradient is cast back. */
  cast(x: Value, type: ValueType): Value {
    if (x.type !== type) this.steps.push({ type: 'cast', from: x.type })
    return this.#graph.cast(x, type)
  }

  #layer(layer: Layer, x: Value, shape: Shape): Value {
    const graph = this.#graph
    switch (layer.type) {
      case 'conv2d':
      case 'depthwiseConv2d': {
        const { parameter, value } = this.#take('kernel')
        const kernel = graph.cast(value, x.type)
        const bias = layer.bias ? this.#take('bias') : undefined
        this.steps.push({ type: layer.type, layer, input: x, inputShape: shape, kernel, kernelParameter: parameter, biasParameter: bias?.parameter })
        return this.#addBias(this.#convolution(layer, x, kernel, shape), bias)
      }
      case 'dense': {
        const { parameter, value } = this.#take('kernel')
        const kernel = graph.cast(value, x.type)
        const bias = layer.bias ? this.#take('bias') : undefined
        this.steps.push({ type: 'dense', input: x, kernel, kernelParameter: parameter, biasParameter: bias?.parameter })
        return this.#addBias(graph.operation('MatMul', [x, kernel]), bias)
      }
      case 'relu':
      case 'relu6': {
        const output = graph.operation(layer.type === 'relu' ? 'Relu' : 'Relu6', [x])
        this.steps.push({ type: layer.type, output })
        return output
      }
      case 'silu': {
        const sigmoid = graph.operation('Sigmoid', [x])
        const output = graph.operation('Mul', [x, sigmoid])
        this.steps.push({ type: 'silu', sigmoid, output })
        return output
      }
      case 'hardSwish': {
        const gate = graph.operation('Relu6', [graph.operation('AddV2', [x, graph.scalar(3, x.type)])])
        this.steps.push({ type: 'hardSwish', input: x, gate })
        return graph.operation('RealDiv', [graph.operation('Mul', [x, gate]), graph.scalar(6, x.type)])
      }
      case 'zeroPad':
        this.steps.push({ type: 'zeroPad', layer, inputShape: shape })
        return graph.padImages(x, layer.before, layer.after)
      case 'maxPool': {
        const output = graph.operation('MaxPool', [x], poolAttributes(layer))
        this.steps.push({ type: 'maxPool', layer, input: x, output })
        return output
      }
      case 'averagePool':
        this.steps.push({ type: 'averagePool', layer, input: x })
        return graph.operation('AvgPool', [x], poolAttributes(layer))
      case 'globalAveragePool': {
        // The mean of thousands of values is taken in float32 even where the values are bfloat16.
        const input = this.cast(x, 'float32')
        this.steps.push({ type: 'globalAveragePool', input, inputShape: shape })
        return this.cast(graph.reduce('Mean', input, [1, 2]), x.type)
      }
      case 'flatten':
        return this.#reshape(x, shape, outputShape(layer, shape))
      case 'dropout': {
        if (this.#takeMask === undefined) return x
        const mask = this.#takeMask()
        // The product is taken in float32, since 1 / (1 - rate) is not a bfloat16.
        const input = this.cast(x, 'float32')
        this.steps.push({ type: 'dropout', mask })
        return this.cast(graph.operation('Mul', [input, mask]), x.type)
      }
      case 'batchNorm':
        return this.#batchNorm(layer, x, shape)
      case 'residual': {
        const main = this.#branch()
        const shortcut = this.#branch()
        const sum = graph.operation('AddV2', [main.layers(layer.layers, x, shape), shortcut.layers(layer.shortcut, x, shape)])
        this.steps.push({ type: 'residual', main: main.steps, shortcut: shortcut.steps })
        return sum
      }
    }
  }

  #convolution(layer: Of<'conv2d' | 'depthwiseConv2d'>, x: Value, kernel: Value, shape: Shape): Value {
    if (layer.type === 'conv2d' && this.#forms === 'portable') return productConvolution(this.#graph, x, kernel, { ...layer, inputShape: shape, outputShape: outputShape(layer, shape) })
    return this.#graph.operation(layer.type === 'conv2d' ? 'Conv2D' : 'DepthwiseConv2dNative', [x, kernel], windowAttributes(layer))
  }

  #addBias(x: Value, bias: ParameterValue | undefined): Value {
    return bias === undefined ? x : this.#graph.operation('BiasAdd', [x, this.#graph.cast(bias.value, x.type)])
  }

  #reshape(x: Value, inputShape: Shape, shape: Shape): Value {
    this.steps.push({ type: 'reshape', inputShape })
    return this.#graph.reshape(x, [-1, ...shape])
  }

  /**
   * y = gamma (x - mean) / sqrt(variance + epsilon) + beta. Training normalises by the lane's own mean and biased
   * variance, and reports the unbiased variance (n / (n - 1) times the biased; n / 1 for n = 1) for the running
   * average, as PyTorch and TensorFlow do. Inference normalises by the running averages, and so does a layer whose averages are frozen.
   */
  #batchNorm(layer: Of<'batchNorm'>, x: Value, shape: Shape): Value {
    const graph = this.#graph
    const [gamma, beta, mean, variance] = (['gamma', 'beta', 'runningMean', 'runningVariance'] as const).map(this.#take)
    const isFrozen = mean.parameter.frozen === true
    const training = this.#takeMask !== undefined && !isFrozen
    // The operation takes images only, so a vector becomes an image of one pixel.
    const image = shape.length === 3 ? x : this.#reshape(x, shape, [1, 1, ...shape])
    const empty = graph.floats([], [0])
    const [y, batchMean, batchVariance, ...reserved] = graph.node(
      'FusedBatchNormV3',
      [image, gamma.value, beta.value, training ? empty : mean.value, training ? empty : variance.value],
      { T: { type: x.type }, U: { type: 'float32' }, epsilon: { float: layer.epsilon }, is_training: { bool: training } },
      [x.type, 'float32', 'float32', 'float32', 'float32', 'float32'],
    )
    if (isFrozen) this.steps.push({ type: 'frozenNorm', layer, gamma: gamma.value, variance: variance.value })
    else {
      this.#statistics.push({ parameter: mean.parameter, value: batchMean }, { parameter: variance.parameter, value: batchVariance })
      this.steps.push({ type: 'batchNorm', layer, input: image, gamma, betaParameter: beta.parameter, reserved })
    }
    return shape.length === 3 ? y : this.#reshape(y, [1, 1, ...shape], shape)
  }

  #branch(): Forward {
    return new Forward(this.#graph, this.#take, this.#takeMask, this.#statistics, this.#forms)
  }
}

/** Returns a function that takes the parameters in the order of the layers, and checks that each has the role that a layer wants. */
function taker(parameters: readonly ParameterValue[]): (role: ParameterRole) => ParameterValue {
  let index = 0
  return (role) => {
    const next = parameters[index++]
    if (next.parameter.role !== role) throw new Error(`the layout has ${next.parameter.name} where the network needs a ${role}`)
    return next
  }
}

/**
 * Emits layers by themselves.
 * @param x [batch, ...inputShape]
 * @returns their output, and the steps by which gradients go back to `x`
 */
export function emitLayers(graph: NodeBuilder, layers: readonly Layer[], x: Value, inputShape: Shape, { parameters, masks, forms = 'library' }: ForwardSources): { y: Value; steps: readonly Step[] } {
  const left = masks?.values()
  const forward = new Forward(graph, taker(parameters), left === undefined ? undefined : (): Value => left.next().value!, [], forms)
  return { y: forward.layers(layers, x, inputShape), steps: forward.steps }
}

/**
 * Emits the network from normalised images to logits.
 * @param images float32 [batch, imageSize, imageSize, 3], normalised.
 * @returns logits float32 [batch, classes]. With bfloat16, a last dense layer is still computed in float32: it is cheap, and
 *   logits of eight significant bits would be too coarse for the loss.
 */
export function emitForward(graph: NodeBuilder, network: Network, images: Value, { parameters, masks, type, forms = 'library' }: ForwardSources): ForwardPass {
  let maskIndex = 0
  const takeMask = masks === undefined ? undefined : (): Value => masks[maskIndex++]

  const statistics: ParameterValue[] = []
  const forward = new Forward(graph, taker(parameters), takeMask, statistics, forms)
  const { layers } = network
  const last = layers.at(-1)?.type === 'dense' ? layers.length - 1 : layers.length
  const inputShape = [network.imageSize, network.imageSize, 3]
  const features = forward.layers(layers.slice(0, last), forward.cast(images, type), inputShape)
  const featuresShape = layers.slice(0, last).reduce<Shape>((shape, layer) => outputShape(layer, shape), inputShape)
  const logits = forward.layers(layers.slice(last), forward.cast(features, 'float32'), featuresShape)
  return { logits, steps: forward.steps, statistics }
}
